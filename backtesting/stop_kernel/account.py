"""The arithmetic of fills: its float operations stand in vectorbt's order, so that plain orders are equal bit for bit.

All functions are compiled.
"""

from math import floor, inf, isinf, sqrt

from backtesting.stop_kernel.layout import CASH, FRACTION, UNITS, UNITS_OF_EQUITY, Book, compiled

CLOSE, NEARLY_ZERO = 1e-9, 1e-12  # what vectorbt takes for equal, relative and absolute
SMALLEST_ORDER = 1e-8
WORST_SLIPPAGE = 0.95
HALVINGS = 60


@compiled
def is_close(a: float, b: float) -> bool:
    """Tell whether two finite numbers are equal but for rounding."""
    return a == b or abs(a - b) <= max(CLOSE * max(abs(a), abs(b)), NEARLY_ZERO)


@compiled
def add(a: float, b: float) -> float:
    """Add, and make 0 of what is 0 but for rounding."""
    if a * b < 0:
        return 0.0 if is_close(abs(a), abs(b)) else a + b
    return 0.0 if is_close(a + b, 0.0) else a + b


@compiled
def commission(book: Book, price: float, quantity: float) -> float:
    """Return max(min_fee, rate x notional + per_unit x quantity + fixed) (C2)."""
    rules = book.rules
    fee: float = price * quantity * rules.commission + rules.per_unit * quantity + rules.fixed
    least: float = rules.min_fee
    return max(fee, least)


@compiled
def slipped(book: Book, price: float, quantity: float) -> float:
    """Return the fraction by which a market order of this quantity worsens its price (C2)."""
    rules, volume = book.rules, book.now.volume
    fraction: float = rules.slippage + book.now.spread / price
    if rules.participation > 0 and quantity > 0:
        fraction += rules.participation * (sqrt(min(1.0, quantity / volume)) if volume > 0 else 1.0)
    return min(fraction, WORST_SLIPPAGE)


@compiled
def largest(book: Book, price: float, budget: float) -> float:
    """Return the largest quantity whose notional and commission fit into the budget (Q1)."""
    rules = book.rules
    money = add(budget, -rules.fixed)
    if rules.per_unit > 0:
        quantity: float = money / (price * (1 + rules.commission) + rules.per_unit)
    else:
        quantity = money / (1 + rules.commission) / price
    if rules.min_fee > 0:
        quantity = min(quantity, (budget - rules.min_fee) / price)
    return max(quantity, 0.0)


@compiled
def whole_lots(book: Book, quantity: float) -> float:
    """Return whole lots, counted in integers: 0.3 of lots of 0.1 stay 0.3 (Q4)."""
    rules = book.rules
    if rules.lot_size == 0:
        return quantity
    count = floor(quantity / rules.lot_size * (1 + CLOSE))
    whole: float = count / rules.lots_a_unit if rules.lots_a_unit > 0 else count * rules.lot_size
    return whole


@compiled
def asked(book: Book, limit: float) -> tuple[float, float]:
    """Return the money and the quantity that an entry asks for (Q2); infinite where only the other counts."""
    sizing, scale, equity = book.rules.sizing, book.now.scale, book.now.worth
    if sizing == FRACTION:
        return scale * equity, inf
    if sizing == CASH:
        return book.rules.amount, inf
    if sizing == UNITS:
        return limit, book.rules.amount
    if sizing == UNITS_OF_EQUITY:
        return limit, scale * equity
    return book.state.kelly * equity, inf


@compiled
def with_impact(book: Book, price: float, sign: float, most: float, budget: float) -> float:
    """Return the largest quantity up to `most` that fits into the budget at the price its own size makes."""
    low, high = 0.0, most
    for _ in range(HALVINGS):
        quantity = (low + high) / 2
        fill = price * (1 + sign * slipped(book, price, quantity))
        if quantity * fill + commission(book, fill, quantity) <= budget:
            low = quantity
        else:
            high = quantity
    return low


@compiled
def enter(book: Book, price: float, sign: float) -> None:
    """Open a position at the price, sized with the equity at the decision, or count why not (Q1-Q4)."""
    rules, state = book.rules, book.state
    limit = rules.leverage * (0.0 if is_close(state.cash, 0.0) else state.cash)
    budget, most = asked(book, limit)
    is_clipped = budget > limit * (1 + CLOSE)
    budget = min(limit, budget)
    fitting = largest(book, price * (1 + sign * slipped(book, price, 0.0)), budget)
    quantity = min(fitting, most)
    if rules.participation > 0:
        quantity = with_impact(book, price, sign, quantity, budget)
    is_clipped = is_clipped or (not isinf(most) and quantity < most * (1 - CLOSE))
    quantity = whole_lots(book, quantity)
    fill = price * (1 + sign * slipped(book, price, quantity))
    if quantity < SMALLEST_ORDER * (1 - CLOSE) or quantity * fill < rules.min_notional:
        state.unfilled += 1
        return
    state.clipped += 1 if is_clipped else 0
    fee = pay(book, fill, quantity, sign, budget if quantity == fitting else inf)
    state.units = sign * quantity
    begin(book, fill, fee, abs(fill - price) * quantity)


@compiled
def pay(book: Book, fill: float, quantity: float, sign: float, budget: float) -> float:
    """Move the cash of an entry, all of a budget that commission by rates used up to the last bit; return the fee."""
    rules, state = book.rules, book.state
    cash = 0.0 if is_close(state.cash, 0.0) else state.cash
    if sign > 0 and not isinf(budget) and rules.per_unit == rules.min_fee == 0:
        state.cash = add(cash, -budget)
        spent: float = add(budget, -rules.fixed) / (1 + rules.commission)
        return budget - spent
    fee = commission(book, fill, quantity)
    state.cash = cash + add(quantity * fill, -fee) if sign < 0 else add(cash, -(quantity * fill + fee))
    return fee


@compiled
def begin(book: Book, fill: float, fee: float, slippage: float) -> None:
    """Begin the trade of a position just opened."""
    state = book.state
    state.trade += 1
    state.entry_bar = book.now.bar
    trade = book.trades[state.trade]
    trade.entry_bar = trade.exit_bar = book.now.bar
    trade.entry_price = trade.exit_price = trade.exit_market_price = fill
    trade.quantity = abs(state.units)
    trade.entry_fees = fee
    trade.slippage = slippage
    trade.exit_fees = trade.borrow = 0.0
    trade.is_short = state.units < 0
    trade.is_open = True
    trade.exit_reason = -1
    trade.exit_inside = False


@compiled
def leave(book: Book, price: float, slippage: float, reason: int) -> None:
    """Close the position at the price, worsened by the fraction `slippage`, whatever cash is left."""
    state, trade = book.state, book.trades[book.state.trade]
    sign = 1.0 if state.units > 0 else -1.0
    quantity = abs(state.units)
    fill = price * (1 - sign * slippage)
    fee = commission(book, fill, quantity)
    if sign > 0:
        state.cash = state.cash + add(quantity * fill, -fee)
    else:
        state.cash = add(state.cash, -(quantity * fill + fee))
    state.units = 0.0
    trade.exit_bar = book.now.bar
    trade.exit_price = fill
    trade.exit_market_price = price
    trade.exit_fees = fee
    trade.slippage += abs(fill - price) * quantity
    trade.is_open = False
    trade.exit_reason = reason
    count_result(book, sign)


@compiled
def sell_out(book: Book, price: float, reason: int) -> None:
    """Close the position by a market order."""
    leave(book, price, slipped(book, price, abs(book.state.units)), reason)


@compiled
def count_result(book: Book, sign: float) -> None:
    """Keep what Kelly's rule needs of a closed trade: its return, among the winners or the losers."""
    state, trade = book.state, book.trades[book.state.trade]
    profit = sign * (trade.exit_price - trade.entry_price) * trade.quantity
    earned = (profit - trade.entry_fees - trade.exit_fees - trade.borrow) / (trade.entry_price * trade.quantity)
    state.closed += 1
    if earned > 0:
        state.won += 1
        state.won_sum += earned
    elif earned < 0:
        state.lost += 1
        state.lost_sum -= earned


@compiled
def kelly(book: Book) -> float:
    """Return the fraction of equity that the trades closed so far allow (Kelly 1956), capped."""
    rules, state = book.rules, book.state
    cap: float = rules.kelly_cap
    if state.closed < rules.kelly_trades:
        return cap
    if state.won == 0:
        return 0.0
    share = state.won / state.closed
    if state.lost > 0:
        share -= (1 - share) * (state.lost_sum / state.lost) / (state.won_sum / state.won)
    part: float = rules.kelly_fraction * max(share, 0.0)
    return min(cap, part)


@compiled
def carry(book: Book, close: float, years: float) -> None:
    """Charge the borrow since the close before: on a short's value there, or on the money a long borrowed (C5)."""
    state = book.state
    owed = -state.units * close if state.units < 0 else max(-state.cash, 0.0)
    interest = owed * book.rules.borrow * years
    state.cash -= interest
    book.trades[state.trade].borrow += interest
