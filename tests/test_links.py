"""Links out of the book have a form that can be right; whether they answer is `make links`, where there is network."""

import pytest

from tools import links


@pytest.mark.parametrize("file", links.texts())
def test_links_have_a_possible_form(file):
    faults = {link: links.fault(link) for link in links.links(links.texts()[file])}
    assert not {link: said for link, said in faults.items() if said}


def test_a_link_is_found_where_it_ends():
    text = "See [one](https://arxiv.org/abs/1609.04836), <https://doi.org/10.1162/neco.1997.9.1.1> and http://localhost:8000."
    assert links.links(text) == ["https://arxiv.org/abs/1609.04836", "https://doi.org/10.1162/neco.1997.9.1.1"]


@pytest.mark.parametrize("link", ["https://example.com/x", "https://arxiv.org/abs/1609", "http://arxiv.org/abs/1609.04836"])
def test_a_wrong_form_is_seen(link):
    assert links.fault(link)
