"""Rosters as they come, and whose a submission is."""

from __future__ import annotations

import pytest

from labsupport.teach import roster
from labsupport.teach.roster import Student, whose


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "id,name,email\n1,Zoë,z@x.edu\n2,Bo,\n",
        "\ufeffid;name;email\r\n1;Zoë;z@x.edu\r\n\r\n2;Bo;\r\n",
        "ID\tName\tEmail\n1\tZoë\tz@x.edu\n2\tBo\t\n",
        'id,name,email\n1,"Zoë",z@x.edu\n2,Bo,""\n',
        "id,name,email\n1,Zoe\u0308,z@x.edu\n2,Bo,\n",
    ],
)
def test_a_roster_is_read_however_it_was_saved(tmp_path, text):
    assert roster.read(written(tmp_path, text)) == [
        Student("1", "Zoë", "z@x.edu"),
        Student("2", "Bo"),
    ]


def test_other_columns_are_kept_for_the_table_that_goes_back(tmp_path):
    students = roster.read(written(tmp_path, "id,Section,SIS User ID\n1,A,77\n"))
    assert students[0].more == {"section": "A", "sis user id": "77"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,email\nAnna,a@x\n", "line 1: no column is called id"),
        ("id,name\n1,Anna\n2\n", "line 3: 1 columns where the first line has 2"),
        ("id,name\n1,Anna\n,Bo\n", "line 3, column id: it is empty"),
        (
            "id,name\nanna,Anna\nbo,Bo\nANNA ,A\n",
            "line 4, column id: 'ANNA' stands in line 2 already",
        ),
        ("id,email\n1,anna at x\n", "line 2, column email: 'anna at x' is no address"),
        ("id,name,name\n1,a,b\n", "line 1, column 3: a second column is called 'name'"),
        ("id,name\n", "holds no student"),
        ("", "holds no student"),
        ('id,name\n1,"Anna\n', "line 2: this is no CSV"),
        ("id,name\n1\u0007,Anna\n", "line 2, column id: it holds the unprintable character"),
    ],
)
def test_a_malformed_roster_says_in_which_line_and_column(tmp_path, text, says):
    with pytest.raises(ValueError, match=says):
        roster.read(written(tmp_path, text))


def test_a_roster_that_is_not_utf8_says_where(tmp_path):
    with pytest.raises(ValueError, match="line 2: the letters are not UTF-8"):
        roster.read(written(tmp_path, "id,name\n1,Zoë\n", "latin-1"))


CLASS = [
    Student("anna"),
    Student("anna-maria"),
    Student("12345", email="bo@x.edu"),
    Student("zoë m"),
]


@pytest.mark.parametrize(
    ("name", "is_"),
    [
        ("anna.ipynb", "anna"),
        ("Anna (2).ipynb", "anna"),
        ("ANNA_04.ipynb", "anna"),
        ("anna-maria.ipynb", "anna-maria"),
        ("hw 04 anna-maria final.ipynb", "anna-maria"),
        ("somebody_12345_99_04.ipynb", "12345"),
        ("bo@x.edu.ipynb", "12345"),
        ("Zoe\u0308 M.ipynb", "zoë m"),
        ("12345/04-the-measure.ipynb", "12345"),
        ("anna - Copy.ipynb", "anna"),
    ],
)
def test_a_submission_is_known_by_its_name(name, is_):
    student, _ = whose(name, "", CLASS)
    assert student and student.id == is_


@pytest.mark.parametrize("name", ["hannah.ipynb", "123456.ipynb", "04.ipynb", "annamaria.ipynb"])
def test_a_name_that_only_looks_alike_is_nobodys(name):
    student, doubt = whose(name, "", CLASS)
    assert student is None and doubt


def test_a_name_that_fits_two_is_nobodys_and_both_are_named():
    student, doubt = whose("anna and 12345.ipynb", "", CLASS)
    assert student is None and "anna" in doubt and "12345" in doubt


def test_the_platforms_name_counts_more_than_what_the_notebook_says():
    assert whose("anna.ipynb", "12345", CLASS) == (CLASS[0], "The notebook was given to 12345.")
    assert whose("04.ipynb", "12345", CLASS)[0] == CLASS[2]


def test_seeds_are_numbers_that_torch_takes_and_differ():
    seeds = {roster.seed_of(str(number), "04-the-measure", "a secret") for number in range(2000)}
    assert len(seeds) == 2000 and all(0 < seed < 2**31 for seed in seeds)
