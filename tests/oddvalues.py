"""Values that shells and readers of files may trip over, as settings, and a program that tells which arrived."""

from __future__ import annotations

import sys

from hypothesis import strategies as st

from bundler.offline.settings import Setting

ODD = (
    "/plain/x",
    "/with space/and  two",
    "/it's/'quoted'",
    '/"double"/x',
    "/$HOME/${PATH}/$(id)/$$",
    "/`id`/x",
    "/100%/%PATH%/%%/%20",
    "/wow!/!!/!x",
    "/back\\slash/\\n/\\",
    "/a;b&c|d",
    "/(x)/[y]/{z,w}/*?",
    "/jörg/日本語/😀/\u202e",  # the last one writes from right to left
    "/\u2018curly\u2019/\u201cdouble\u201d",
    "-dash",
    "~/home/=x",
    "/#hash/a #b",
    "/<in>/^caret",
    "file:///a b/100%25/c%231",
    "/ends in blank ",
    "/ends in backslash\\",
)
DUMP = (
    "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k == 'PATH' or k[0] == 'V'}))"
)
READ = [sys.executable, "-c", DUMP]
PRINTABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=30)


def setting(value: str, name: str = "V", key: str = "") -> Setting:
    return Setting(name=name, value=value, reason="because", key=key)


def numbered(texts) -> tuple[Setting, ...]:
    return tuple(setting(text, f"V{number}") for number, text in enumerate(texts))
