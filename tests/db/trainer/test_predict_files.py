"""`candlecast predict`: its forecasts from files equal those of predict_range in the database."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from candlecast.core.errors import CandlecastUserError
from candlecast.core.forecast_rows import ForecastRow
from candlecast.core.returns import scale_of
from candlecast.trainer.models.artifacts import read_ensemble
from candlecast.trainer.predict import predict
from tests.support.deployment import MINUTE, NEWEST, create_calibrated

CANDLES = """
copy (select * from candles_1m where open_time >= '{0:%Y-%m-%d %H:%M}+00' and open_time < '{1:%Y-%m-%d %H:%M}+00'
order by open_time) to stdout (format csv, header)"""
#: Tolerance of scaled returns and probabilities.
CLOSE = 1e-5
NUMBERS = ("reference_close", "confidence", "probability_up")
RETURNS = ("predicted_close", "mamba_close", "lgbm_close")
PRICES = ("predicted_price", "lower_price", "upper_price")


@pytest.fixture
def folder(artifacts) -> Path:
    return artifacts[0].parents[1] / "ensemble" / artifacts[0].name


@pytest.fixture
def files(live, tmp_path) -> list[Path]:
    """A day of DEMO with a gap, in two files that overlap. The second file has the correct volume."""
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 500 * MINUTE,))
    middle, first = NEWEST - 300 * MINUTE, NEWEST - timedelta(days=2)
    live.execute("update candles_1m set volume = volume / 2 where open_time = %s", (middle,))
    paths = []
    for name, start, stop in (("a.csv", first, middle + MINUTE), ("b.csv", middle, NEWEST + MINUTE)):
        if name == "b.csv":
            live.execute("update candles_1m set volume = volume * 2 where open_time = %s", (middle,))
        with live.cursor().copy(CANDLES.format(start, stop)) as copy:
            (tmp_path / name).write_bytes(b"".join(copy))
        paths.append(tmp_path / name)
    return paths


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predict_from_files_equals_predict_range(live, artifacts, folder, files, run_cli):
    live.execute("update ml_settings set value = '0.03' where name = 'min_confidence'")
    ensemble = create_calibrated(live, artifacts)
    done = run_cli(
        "postgresql://nobody@127.0.0.1:1/none",  # predict does not connect to a database
        *("predict", "--artifacts", folder, "--symbol", "DEMO", "--min-confidence", "0.03", *files),
    )
    assert done.returncode == 0, done.stderr
    given = table(done.stdout)
    expected = live.execute(
        "select * from predict_range('DEMO', '-infinity', 'infinity', %s) order by candle_time, horizon",
        (ensemble,),
    ).fetchall()
    assert len(given) == len(expected) > 4_000
    assert tuple(given[0]) == ForecastRow._fields == expected[0]._fields
    last = {"candle_time": NEWEST, "target_time": NEWEST + 5 * MINUTE}
    assert {name: datetime.fromisoformat(given[-1][name]) for name in last} == last
    for name in ("symbol", "horizon", "furthest_feature"):
        assert [row[name] for row in given] == [str(getattr(row, name) or "") for row in expected], name
    for name in ("candle_time", "target_time"):
        assert [datetime.fromisoformat(row[name]) for row in given] == [getattr(row, name) for row in expected]
    for name in ("abstained", "out_of_distribution"):
        assert [row[name] for row in given] == [str(getattr(row, name)).lower() for row in expected], name
    assert {row["ensemble_id"] for row in given} == {""}
    assert {row["abstained"] for row in given} == {"true", "false"}

    def both(name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.array([float(row[name]) for row in given]), np.array([getattr(row, name) for row in expected])

    for name in NUMBERS:
        np.testing.assert_allclose(*both(name), rtol=0, atol=CLOSE, err_msg=name)
    volatility = dict(
        live.execute(
            "select open_time, volatility_30m from features_between('DEMO', '-infinity', 'infinity')"
        ).fetchall()
    )
    scale = np.array([scale_of(np.array([volatility[row.candle_time]]))[0, row.horizon - 1] for row in expected])
    for name in RETURNS:
        mine, theirs = both(name)
        assert np.abs((mine - theirs) / scale).max() <= CLOSE, name
    for name in PRICES:
        mine, theirs = both(name)
        assert np.abs(np.log(mine / theirs) / scale).max() <= CLOSE, name


def lines(folder: Path, files: list[Path], **options: object) -> list[dict[str, str]]:
    output = io.StringIO()
    count = predict(folder, files, output, "DEMO", **options)
    rows = table(output.getvalue())
    assert len(rows) == 5 * count
    return rows


def test_from_to_and_last_select_candles(folder, files, tmp_path):
    time_range = {"from_time": NEWEST - 9 * MINUTE, "to_time": NEWEST - 2 * MINUTE}
    times = [datetime.fromisoformat(row["candle_time"]) for row in lines(folder, files, **time_range)[::5]]
    assert times == [NEWEST - n * MINUTE for n in range(9, 2, -1)]
    times = [datetime.fromisoformat(row["candle_time"]) for row in lines(folder, files, last=2, **time_range)[::5]]
    assert times == [NEWEST - n * MINUTE for n in (4, 3)]
    assert predict(folder, files, tmp_path / "out.csv", "DEMO", last=1) == 1
    assert table((tmp_path / "out.csv").read_text()) == lines(folder, files, last=1)


def change(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("arrange", "message", "hint"),
    [
        (lambda folder, files: (folder, [files[1]], None, {"from_time": NEWEST + MINUTE}), "no prediction is", "widen"),
        (
            lambda folder, files: (folder, [change(file, "DEMO", "OTHER") for file in files], None, {}),
            "it holds OTHER, but the models were trained on DEMO",
            "To predict it anyway, add --symbol OTHER",
        ),
        (
            lambda folder, files: (folder, [change(files[1], "05-02 11:10:00+00", "05-02 11:10:30+00")], "DEMO", {}),
            "is not on the minute",
            "opens on the minute",
        ),
        (
            lambda folder, files: (folder.parents[1] / "mamba" / folder.name, files, "DEMO", {}),
            "not an ensemble",
            "Name",
        ),
        (lambda folder, files: (folder / "none", files, "DEMO", {}), "facts.json cannot be read", "candlecast train"),
    ],
)
def test_predict_errors_have_a_remedy(folder, files, arrange, message, hint):
    artifacts, read, symbol, options = arrange(folder, files)
    with pytest.raises(CandlecastUserError, match=message) as error:
        predict(artifacts, read, io.StringIO(), symbol, **options)
    assert hint in error.value.hint


def test_a_price_of_zero_raises_an_error(folder, files):
    rows = files[1].read_text().splitlines()
    cells = rows[100].split(",")
    rows[100] = ",".join([*cells[:5], "0", *cells[6:]])
    files[1].write_text("\n".join(rows) + "\n")
    with pytest.raises(CandlecastUserError, match="give features that are not finite") as error:
        predict(folder, files, io.StringIO(), "DEMO")
    assert "candlecast load" in error.value.hint


def test_a_changed_mamba_version_raises_an_error(folder, files, tmp_path):
    facts, _, mamba, lgbm = read_ensemble(folder)
    for source in (folder, mamba, lgbm):
        target = tmp_path / source.parent.name / source.name
        target.mkdir(parents=True)
        for path in source.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    own = tmp_path / "ensemble" / folder.name
    assert predict(own, files, io.StringIO(), "DEMO", last=1) == 1
    change(tmp_path / "mamba" / folder.name / "facts.json", facts["trained_at"], "2020-01-01T00:00:00+00:00")
    with pytest.raises(CandlecastUserError, match=r"has changed since .* was fitted with it"):
        predict(own, files, io.StringIO(), "DEMO", last=1)
    (tmp_path / "mamba" / folder.name / "mamba.onnx").write_bytes(b"other")
    with pytest.raises(CandlecastUserError):
        predict(own, files, io.StringIO(), "DEMO", last=1)


def test_the_database_of_the_predict_test_is_unreachable(live):
    """`test_predict_from_files_equals_predict_range` uses this address: nothing answers there."""
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect("postgresql://nobody@127.0.0.1:1/none")
