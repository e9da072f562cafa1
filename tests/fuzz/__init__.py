"""Coverage-guided fuzzing of everything that reads foreign bytes.

`targets.py` is the table of targets; each module beside it holds the properties of one reader, as functions
from bytes to a verdict. `run.py` drives them with atheris, `seeds.py` makes the committed seeds in `corpus/`,
`tests/test_fuzz.py` runs seeds and mutations of them in the default suite, without atheris.
"""
