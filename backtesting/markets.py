"""What goes by which name: exchanges and their currencies, indices, funds, futures, money and coins."""

from collections.abc import Mapping


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What follows the dot, as Yahoo and Stooq write it: the exchange's MIC and the currency it quotes in.
SUFFIXES: Mapping[str, tuple[str, str]] = {
    "US": ("XNYS", "USD"),
    "L": ("XLON", "GBP"),
    "UK": ("XLON", "GBP"),
    "DE": ("XETR", "EUR"),
    "F": ("XFRA", "EUR"),
    "PA": ("XPAR", "EUR"),
    "AS": ("XAMS", "EUR"),
    "BR": ("XBRU", "EUR"),
    "LS": ("XLIS", "EUR"),
    "MI": ("XMIL", "EUR"),
    "MC": ("XMAD", "EUR"),
    "VI": ("XWBO", "EUR"),
    "HE": ("XHEL", "EUR"),
    "IR": ("XDUB", "EUR"),
    "SW": ("XSWX", "CHF"),
    "ST": ("XSTO", "SEK"),
    "OL": ("XOSL", "NOK"),
    "CO": ("XCSE", "DKK"),
    "WA": ("XWAR", "PLN"),
    "IS": ("XIST", "TRY"),
    "TA": ("XTAE", "ILS"),
    "JO": ("XJSE", "ZAR"),
    "TO": ("XTSE", "CAD"),
    "V": ("XTSX", "CAD"),
    "MX": ("XMEX", "MXN"),
    "SA": ("BVMF", "BRL"),
    "T": ("XTKS", "JPY"),
    "JP": ("XTKS", "JPY"),
    "HK": ("XHKG", "HKD"),
    "SS": ("XSHG", "CNY"),
    "KS": ("XKRX", "KRW"),
    "TW": ("XTAI", "TWD"),
    "SI": ("XSES", "SGD"),
    "BO": ("XBOM", "INR"),
    "NS": ("XNSE", "INR"),
    "JK": ("XIDX", "IDR"),
    "KL": ("XKLS", "MYR"),
    "BK": ("XBKK", "THB"),
    "AX": ("XASX", "AUD"),
    "NZ": ("XNZE", "NZD"),
}
CURRENCY_OF: Mapping[str, str] = {
    **dict(SUFFIXES.values()),
    **dict.fromkeys(("XNAS", "ARCX", "XASE", "BATS", "NYSE", "NASDAQ", "AMEX", "CMES", "XCBF"), "USD"),
}
# Names in use for exchanges whose MIC is another
MIC_OF: Mapping[str, str] = {"NYSE": "XNYS", "NASDAQ": "XNAS", "AMEX": "XASE", "LSE": "XLON", "XETRA": "XETR"}
CRYPTO_VENUES = _set("BINANCE BITFINEX BITSTAMP BYBIT COINBASE CRYPTO GEMINI KRAKEN KUCOIN OKX")
INDICES: Mapping[str, tuple[str, str]] = {
    "GSPC": ("XNYS", "USD"),
    "SPX": ("XNYS", "USD"),
    "DJI": ("XNYS", "USD"),
    "IXIC": ("XNAS", "USD"),
    "NDX": ("XNAS", "USD"),
    "RUT": ("XNYS", "USD"),
    "VIX": ("XCBF", "USD"),
    "FTSE": ("XLON", "GBP"),
    "GDAXI": ("XETR", "EUR"),
    "DAX": ("XETR", "EUR"),
    "FCHI": ("XPAR", "EUR"),
    "N225": ("XTKS", "JPY"),
    "HSI": ("XHKG", "HKD"),
}
ETFS: Mapping[str, str] = {
    **dict.fromkeys(_set("SPY IVV VOO VTI DIA IWM GLD SLV EFA EEM AGG LQD HYG XLE XLF XLK ARKK USO"), "ARCX"),
    **dict.fromkeys(_set("QQQ TLT IEF SHY BND"), "XNAS"),
}
FUTURES = _set("ES NQ YM RTY MES MNQ CL MCL NG RB HO GC MGC SI HG PL ZN ZB ZF ZT ZC ZS ZW LE HE 6E 6J 6B")
FIAT = _set("USD EUR JPY GBP CHF AUD CAD NZD SEK NOK DKK PLN HUF CZK TRY ZAR MXN BRL CNY CNH HKD SGD KRW INR THB ILS")
# ISO 4217, the money in circulation
CURRENCIES = _set(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP"
    " CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF"
    " IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD"
    " MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB"
    " RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD"
    " UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
METALS = _set("XAU XAG XPT XPD")  # their spot market keeps the hours of currencies
STABLE = ("USDT", "USDC", "FDUSD", "BUSD")
COINS = _set(
    "BTC XBT ETH BNB SOL XRP ADA DOGE TRX DOT AVAX LINK LTC BCH XLM XMR ETC ATOM UNI SHIB TON NEAR ALGO FIL AAVE"
)
COIN_QUOTES = (*STABLE, "TUSD", "DAI", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB")
SAME_COIN: Mapping[str, str] = {"XBT": "BTC"}
NEAR_QUOTES = ("USD", "USDT", "USDC")  # what one who says "BTC" may mean
MONTH_CODES = "FGHJKMNQUVXZ"
