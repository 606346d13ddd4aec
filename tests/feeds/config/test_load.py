"""The user's file: what it may say, and how a complaint about it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.config.checks import ConfigError
from feeds.config.known import Known, known_routes
from feeds.config.load import (
    ENDPOINT_KEYS,
    FEE_KEYS,
    SCREEN_KEYS,
    TOP_KEYS,
    WITNESS_KEYS,
    Config,
    Endpoint,
    load_config,
    parse,
)
from feeds.config.sample import documented_defaults
from feeds.config.watchlist_reader import WATCHLIST_KEYS

ROUTES = ("binance.spot", "binance.linear", "okx.spot", "okx.linear", "bybit.spot", "bybit.linear")
KNOWN = Known(routes=ROUTES, actions={"freeze", "filter"}, themes={"nord", "textual-dark"})
FILE = Path("config.toml")


def read(text: str, known: Known = KNOWN) -> Config:
    return parse(text, FILE, known)


def complaint(text: str, known: Known = KNOWN) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, known)
    said = str(caught.value)
    # one sentence, on one line
    assert said.endswith(".") and "\n" not in said
    return said


def test_no_file_at_all_watches_btc_and_eth_everywhere() -> None:
    config = read("")
    chosen = config.chosen()
    assert (chosen.name, chosen.home, chosen.notionals, chosen.side) == (
        "default",
        "binance.linear",
        (100_000.0,),
        "buy",
    )
    assert chosen.routes == ROUTES
    assert len(chosen.pairs) == 12
    assert ("okx.spot", "ETH/USDT") in chosen.pairs and ("okx.spot", "ETH/USDT:USDT") not in chosen.pairs
    assert config.vantage and config.written == ()


def test_the_registrys_venues_are_the_ones_a_file_may_name() -> None:
    assert "binance.linear" in known_routes()
    assert parse("", FILE).chosen().home == "binance.linear"


def test_everything_is_read() -> None:
    config = read("""
        vantage = "tokyo"
        watchlist = "alts"
        frames_per_s = 2
        [watchlists.alts]
        symbols = ["SOL/USDT", "SOL/USDT:USDT"]
        routes = ["okx.*", "binance.linear"]
        home = "okx.linear"
        notionals = [5_000, 50_000.5]
        side = "sell"
        [fees."binance.linear"]
        taker = 0.0004
        [fees.okx.spot]
        taker = 0
        [endpoints.binance.linear]
        rest = "http://127.0.0.1:8080/base/"
        ws = "ws://[::1]:9090"
        [witness]
        targets = ["9.9.9.9:53"]
        [proxy]
        default = "http://10.0.0.1:3128"
        okx = "socks5h://me:pw@10.0.0.2"
        bybit = "none"
        [screen]
        theme = "nord"
        [keys]
        freeze = "space"
        """)
    alts = config.chosen()
    assert (config.vantage, config.frames_per_s, config.theme) == ("tokyo", 2.0, "nord")
    assert alts.routes == ("binance.linear", "okx.spot", "okx.linear")
    assert (alts.home, alts.notionals, alts.side) == ("okx.linear", (5000.0, 50000.5), "sell")
    assert config.fees == {"binance.linear": 0.0004, "okx.spot": 0.0}
    assert config.endpoints == {"binance.linear": Endpoint("http://127.0.0.1:8080/base", "ws://[::1]:9090")}
    assert config.witnesses == ("9.9.9.9:53",)
    assert config.proxies == {
        "default": "http://10.0.0.1:3128",
        "okx": "socks5h://me:pw@10.0.0.2",
        "bybit": "none",
    }
    assert config.keys == {"freeze": "space"}
    assert set(config.watchlists) == {"default", "alts"} and config.written == ("alts",)


def test_home_counts_per_product_of_its_venue() -> None:
    chosen = read("").chosen()
    assert chosen.home_for("BTC/USDT:USDT") == "binance.linear"
    assert chosen.home_for("BTC/USDT") == "binance.spot"
    only = read('[watchlists.x]\nsymbols = ["BTC/USDT"]\nroutes = ["okx.*"]\n').chosen("x")
    assert only.home_for("BTC/USDT") is None


LIST = '[watchlists.a]\nsymbols = ["BTC/USDT"]\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        # the document
        ('vantge = "x"\n', 1, 'vantge: unknown key "vantge"; nearest is "vantage" (allowed: vantage, watchlist, '),
        ("vantage = 3", 1, "vantage: must be a text in quotes, not a number"),
        ('vantage = ""', 1, "vantage: must be a printable text"),
        ('vantage = "a\\u001b[2J"', 1, "vantage: must be a printable text"),
        ("\n\nframes_per_s = 100\n", 3, "frames_per_s: 100 is not a number from 0.5 to 20"),
        ("frames_per_s = nan", 1, "frames_per_s: nan is not a number from 0.5 to 20"),
        ("frames_per_s = true", 1, "frames_per_s: must be a number from 0.5 to 20, not true or false"),
        ('watchlist = "defualt"', 1, 'watchlist: unknown watchlist "defualt"; nearest is "default" (allowed: default)'),
        ("watchlists = 3", 1, "watchlists: must be a table, not a number"),
        ("a = [1,\n2", 2, "is not valid TOML"),
        ("vantage = 'x'\nvantage = 'y'\n", 2, "is not valid TOML (cannot overwrite a value)"),
        # texts that mean something to a terminal
        ('"a\\u001b[2Jb" = 1', 1, 'unknown key "a\\x1b[2Jb"'),
        ('[keys]\n"a\\u202eb" = "f"', 2, 'unknown key "a\\u202eb"'),
        ('[endpoints.okx.spot]\n"\\u009b" = "f"', 2, 'unknown key "\\x9b"'),
        ('[watchlists.a]\nsymbols = ["[bold]BTC/USDT"]', 2, '"[bold]BTC/USDT" is no symbol'),
        # watchlists
        ('[watchlists."my list"]\nsymbols = ["BTC/USDT"]', 1, "a watchlist's name is 1 to 40 letters"),
        ("[watchlists.a]\nside = 'buy'\n", 1, 'misses the key "symbols"'),
        (
            LIST + 'hme = "x"',
            3,
            'watchlists.a.hme: unknown key "hme"; nearest is "home" (allowed: symbols, routes, home',
        ),
        ('[watchlists.a]\nsymbols = ["BTCUSDT"]', 2, '"BTCUSDT" is no symbol; nearest is "BTC/USDT"'),
        ('[watchlists.a]\nsymbols = ["btc/usdt"]', 2, '"btc/usdt" is no symbol; nearest is "BTC/USDT"'),
        ('[watchlists.a]\nsymbols = ["BTC-USDT-SWAP"]', 2, 'nearest is "BTC/USDT:USDT"'),
        ('[watchlists.a]\nsymbols = ["BTC/USDT:USDT-261225"]', 2, "is no symbol"),
        ('[watchlists.a]\nsymbols = [\n  "BTC/USDT",\n  "what",\n]', 4, '"what" is no symbol (allowed: BASE/QUOTE'),
        ('[watchlists.a]\nsymbols = "BTC/USDT"', 2, "must be a list of 1 to 64 texts"),
        ('[watchlists.a]\nsymbols = ["BTC/USDT", "BTC/USDT"]', 2, '"BTC/USDT" is listed twice'),
        (LIST + 'routes = [\n"okx.spot",\n"binanc.spot"]', 5, 'unknown route "binanc.spot"; nearest is "binance.spot"'),
        (LIST + 'routes = ["krakn.*"]', 3, 'unknown route "krakn.*"'),
        (LIST + 'routes = ["*.linear"]', 1, "none of its routes trades the kind of its symbols"),
        (LIST + 'home = "binance"', 3, 'unknown route "binance"; nearest is "binance.'),
        (LIST + 'routes = ["okx.*"]\nhome = "bybit.spot"', 4, '"bybit.spot" is not among the routes of this watchlist'),
        (LIST + "notionals = [0]", 3, "0 is not an amount of quote currency from 1 to 1000000000"),
        (LIST + "notionals = [1e400]", 3, "inf is not an amount"),
        (LIST + "notionals = 5", 3, "must be a list of 1 to 8 numbers"),
        (LIST + 'side = "long"', 3, 'unknown side "long" (allowed: buy, sell)'),
        # the rest
        ('[fees."binance.liner"]\ntaker = 0.1', 1, 'unknown route "binance.liner"; nearest is "binance.linear"'),
        ("[fees.binnce.linear]\ntaker = 0.1", 1, 'unknown venue "binnce"; nearest is "binance"'),
        ("[fees.binance.liner]\ntaker = 0.1", 1, 'unknown key "liner"; nearest is "linear" (allowed: spot, linear)'),
        ('[fees."okx.spot"]\ntaker = 5', 2, 'fees."okx.spot".taker: 5 is not a fraction of notional'),
        ('[fees."okx.spot"]\nmaker = 0.1', 2, 'unknown key "maker"; nearest is "taker" (allowed: taker)'),
        ('[endpoints.okx.spot]\nrest = "okx.com"', 2, '"okx.com" is no base URL (allowed: http:// or https://host'),
        ('[endpoints.okx.spot]\nws = "https://okx.com"', 2, "is no base URL (allowed: ws:// or wss://host"),
        ('[endpoints.okx.spot]\nws = "wss://okx.com:x"', 2, "is no base URL"),
        ('[endpoints.okx.spot]\nrest = "https://user:pw@okx.com"', 2, "is no base URL"),
        ('[witness]\ntargets = ["1.1.1.1"]', 2, '"1.1.1.1" is no target (allowed: host:port'),
        (
            '[proxy]\ndefault = "ftp://h"',
            2,
            'proxy.default: a ftp:// proxy cannot be used (allowed: "http://host:port"',
        ),
        ('[proxy]\nokx = "http://me:secret@h/x"', 2, "proxy.okx: this is no proxy (allowed: "),
        ("[proxy]\nokx = 5", 2, "proxy.okx: must be a text in quotes, not a number"),
        ('[proxy]\nokex = "none"', 2, 'unknown key "okex"; nearest is "okx"'),
        ('[screen]\ntheme = "nrd"', 2, 'unknown theme "nrd"; nearest is "nord"'),
        ('[keys]\nfreze = "f"', 2, 'unknown key "freze"; nearest is "freeze"'),
        ('[keys]\nfreeze = "f"\nfilter = "f"', 3, '"f" is the key of "freeze" already'),
    ],
)
def test_a_complaint_names_file_line_key_and_what_is_allowed(text: str, line: int, said: str) -> None:
    found = complaint(text)
    assert found.startswith(f"config.toml, line {line}")
    assert said in found


@pytest.mark.parametrize("deep", ["vantage = " + "[" * 5000, "x = " + "{a = " * 5000, "a" + ".a" * 50_000 + " = 1"])
def test_what_is_nested_too_deeply_is_a_sentence(deep: str) -> None:
    found = complaint("\n" + deep + "\n")
    assert found.startswith("config.toml, line 2")
    assert len(found) < 2_500


def test_a_symbol_that_no_watched_route_lists_is_refused_where_listings_are_known() -> None:
    listed = {"okx.spot": ["BTC/USDT", "SOL/USDT"], "bybit.spot": ["BTC/USDT", "WIF/USDT"]}
    known = Known(routes=ROUTES, listed=listed.get)
    two = 'routes = ["okx.spot", "bybit.spot"]\n'
    assert read(f'[watchlists.a]\nsymbols = ["WIF/USDT"]\n{two}', known).chosen("a").symbols == ("WIF/USDT",)
    said = complaint(f'[watchlists.a]\nsymbols = ["BTC/USDT", "SOLL/USDT"]\n{two}', known)
    assert 'line 2, watchlists.a.symbols: no route of this watchlist lists "SOLL/USDT"; nearest is "SOL/USDT"' in said
    # binance.spot's listing has not been seen: it may well have it
    read('[watchlists.a]\nsymbols = ["SOLL/USDT"]\nroutes = ["*.spot"]\n', known)


def test_a_watchlist_asked_for_by_a_wrong_name_is_a_complaint_too() -> None:
    with pytest.raises(ConfigError, match=r"there is no watchlist 'defult'; nearest is \"default\""):
        read("").chosen("defult")


def test_a_missing_file_is_fine_unless_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.config.load.config_file", lambda: tmp_path / "none.toml")
    assert load_config().watchlist == "default"
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file"):
        load_config(tmp_path / "none.toml")


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b'vantage = "x"\n# \xff\n')
    with pytest.raises(ConfigError, match="line 2: is not UTF-8"):
        load_config(file, KNOWN)
    file.write_bytes(b'\xef\xbb\xbfvantage = "x"\r\n')
    assert load_config(file, KNOWN).vantage == "x"
    file.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than"):
        load_config(file, KNOWN)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, KNOWN)


def test_the_sample_documents_every_key_and_says_what_no_file_says() -> None:
    sample = documented_defaults()
    assert read(sample).chosen() == read("").chosen()
    assert read(sample).witnesses == read("").witnesses
    for key in (*TOP_KEYS, *WATCHLIST_KEYS, *FEE_KEYS, *ENDPOINT_KEYS, *WITNESS_KEYS, *SCREEN_KEYS):
        assert key in sample, key
    # the examples behind '#' are valid too
    examples = ("# [", "# taker =", "# rest =", "# ws =", "# theme =", "# vantage =", "# freeze =")
    lines = [line[2:] if line.startswith(examples) else line for line in sample.splitlines()]
    config = read("\n".join(lines))
    assert config.fees and config.endpoints and config.keys and config.theme and config.vantage == "tokyo-desk"


@given(st.text(max_size=80), st.sampled_from(["", "vantage = ", "[watchlists.", "[watchlists.a]\nsymbols = ["]))
def test_whatever_is_typed_is_read_or_complained_about(text: str, before: str) -> None:
    try:
        read(before + text)
    except ConfigError as error:
        assert str(error).startswith("config.toml")


json_like = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-5, 5), st.booleans(), st.floats(allow_nan=True)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*TOP_KEYS, "x"]), json_like, max_size=4))
def test_values_of_any_kind_are_read_or_complained_about(document: dict[str, object]) -> None:
    import tomli_w

    try:
        read(tomli_w.dumps(document))
    except ConfigError as error:
        assert str(error).startswith("config.toml")


def test_a_complaint_about_a_proxy_never_shows_its_password() -> None:
    assert "secret" not in complaint('[proxy]\nokx = "http://me:secret@h/x"')
