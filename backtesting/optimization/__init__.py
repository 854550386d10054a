"""The search for parameters on one stored series, and what its winner is worth.

1. `request.py`: what is asked for; `constraints.py` reads inequalities between parameters.
2. `study.py` cuts the period into train and holdout, and lays out the sets that the strategy and the user allow.
3. The sets are evaluated on the train period in chunks by `backtesting.sweep`; `sets.py` says which chunk has which,
   `tpe.py` proposes sets by what earlier ones came to, `scoreboard.py` keeps what a chunk came to.
4. `lattice.py` tells of the winners whether their neighbours do as well, and the surface as a table.
5. `luck.py` says in a sentence whether the winner is distinguishable from luck, `result.py` puts it all together.

The search itself sees nothing of the holdout.
"""
