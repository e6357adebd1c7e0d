from lxml import html

from relay.demo.blocking import without_images


def test_nothing_is_left_that_loads_by_itself() -> None:
    shown = without_images(
        '<body background="http://e.com/a"><img src="http://e.com/b" alt="B"'
        ' srcset="http://e.com/c 2x">'
        '<video poster="http://e.com/d"></video><a href="http://e.com/link">link</a></body>'
    )
    assert shown.count("http://e.com/") == 1
    tree = html.fromstring(shown)
    assert tree.xpath("//a/@href") == ["http://e.com/link"]
    assert tree.xpath("//img/@alt") == ["B"]
    assert tree.xpath("//img/@src")[0].startswith("data:image/svg+xml,")


def test_a_letter_without_images_reads_the_same() -> None:
    assert without_images("<p>Hello &amp; bye</p>") == "<p>Hello &amp; bye</p>"
