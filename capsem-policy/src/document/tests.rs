//! Places and messages of the reader.

use super::*;

#[track_caller]
fn check(text: &str, read: impl Fn(Table<'_>) -> Result<(), Error>, expected: &str) {
    let outcome = Document::parse(text, "f.toml").and_then(|document| read(document.root()));
    assert_eq!(outcome.map_err(|error| error.to_string()), Err(expected.to_owned()));
}

#[test]
fn text_that_is_no_toml() {
    let none = |_: Table<'_>| Ok(());
    check("a = 1\na = 2\n", none, "f.toml:2:1: duplicate key; this is not valid TOML");
    check(
        "a = \"x\nb = 1",
        none,
        "f.toml:1:7: invalid basic string, expected `\"`; this is not valid TOML",
    );
}

#[test]
fn unknown_keys() {
    let only = |table: Table<'_>| table.only(&["hosts", "ports"]);
    check("hosts = 1\n  hsts = 2", only, "f.toml:2:3: unknown key `hsts`; did you mean `hosts`?");
    check("zebra = 1", only, "f.toml:1:1: unknown key `zebra`; the keys here are hosts, ports");
    check("z = 1\naa = 1", only, "f.toml:1:1: unknown key `z`; the keys here are hosts, ports");
    check("\"a\\nb\" = 1", only, "f.toml:1:1: unknown key `a\\nb`; the keys here are hosts, ports");
}

#[test]
fn missing_keys_are_missed_at_the_head_of_their_table() {
    check(
        "",
        |table| table.need("version", "version = 1").map(drop),
        "f.toml:1:1: `version` is missing; add `version = 1`",
    );
    check(
        "\n[a]\nx = 1\n\n  [[b]]\ny = 1\n",
        |table| {
            for b in table.get("b").unwrap().tables()? {
                b.need("id", "id = \"x\"")?;
            }
            Ok(())
        },
        "f.toml:5:3: `id` is missing; add `id = \"x\"`",
    );
}

#[test]
fn wrong_types() {
    fn a<'d>(table: &Table<'d>) -> Item<'d> {
        table.get("a").unwrap()
    }
    check(
        "a = 1",
        |t| a(&t).string().map(drop),
        "f.toml:1:5: `a` is an integer; it must be a string",
    );
    check(
        "a = 1.5",
        |t| a(&t).integer().map(drop),
        "f.toml:1:5: `a` is a fraction; it must be an integer",
    );
    check(
        "a = []",
        |t| a(&t).boolean().map(drop),
        "f.toml:1:5: `a` is a list; it must be true or false",
    );
    check(
        "a = 'x'",
        |t| a(&t).list().map(drop),
        "f.toml:1:5: `a` is a string; it must be a list in [ ]",
    );
    check(
        "a = true",
        |t| a(&t).table().map(drop),
        "f.toml:1:5: `a` is a boolean; it must be a table",
    );
    check(
        "[a]\n",
        |t| a(&t).tables().map(drop),
        "f.toml:1:1: `a` is a table; it must be a list of tables, each with its name in [[ ]]",
    );
    check(
        "a = [1,\n 'é', 2026-01-01]",
        |t| a(&t).list()?[2].string().map(drop),
        "f.toml:2:7: `a` is a date; it must be a string",
    );
}

#[test]
fn numbers_outside_64_bits() {
    check(
        "a = 99999999999999999999",
        |t| t.get("a").unwrap().integer().map(drop),
        "f.toml:1:5: `a` is out of range; use a smaller number",
    );
}

#[test]
fn columns_count_characters_and_lines_may_end_in_crlf() {
    check(
        "a = 'é'\r\nb = {\"ü\" = 1, c = 2}\r\n",
        |t| t.get("b").unwrap().table()?.get("c").unwrap().string().map(drop),
        "f.toml:2:19: `c` is an integer; it must be a string",
    );
}

#[test]
fn entries_come_in_the_order_of_the_file() {
    let document = Document::parse("z = 1\na = 2\nm = 3\n", "f.toml").unwrap();
    let keys: Vec<_> = document.root().entries().iter().map(Item::key).collect();
    assert_eq!(keys, ["z", "a", "m"]);
}

#[test]
fn any_radix_and_sign() {
    let document = Document::parse("a = [0xff, 0o17, 0b11, -1_000, +7]", "f.toml").unwrap();
    let numbers = document.root().get("a").unwrap().list().unwrap();
    let numbers: Vec<_> = numbers.iter().map(|item| item.integer().unwrap()).collect();
    assert_eq!(numbers, [255, 15, 3, -1000, 7]);
}
