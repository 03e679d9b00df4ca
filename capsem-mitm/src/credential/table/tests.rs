//! What is a reference, and what is not.

use super::*;

const REF: &str =
    "credential:blake3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

#[test]
fn the_form_of_a_reference() {
    assert!(is_reference(REF));
    for text in ["", "credential:blake3:", &REF[..81], &format!("{REF}0"), &REF.replace('9', "g")] {
        assert!(!is_reference(text), "{text}");
    }
}

#[test]
fn what_is_no_file_is_told_where_there_was_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let pipe = || {
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    };
    let file = || std::fs::write(&path, "another-value").unwrap();
    for (starts_as_pipe, then, told) in [
        (false, &pipe as &dyn Fn(), "is now a pipe; put a regular file there"),
        (false, &file, "in force"),
        (true, &pipe, ""),
        (true, &file, "in force"),
    ] {
        if starts_as_pipe {
            pipe();
        }
        let write = {
            let path = path.clone();
            move || std::fs::write(path, "the-first-value").unwrap()
        };
        let table = if starts_as_pipe {
            let writer = std::thread::spawn(write);
            let table = table(&path);
            writer.join().unwrap();
            table
        } else {
            write();
            table(&path)
        };
        std::fs::remove_file(&path).unwrap();
        then();
        let outcomes = table.reread(&path).into_iter().map(|it| match it.outcome {
            Ok(()) => "in force".to_owned(),
            Err(error) => error.to_string(),
        });
        let outcomes = outcomes.collect::<String>();
        assert!(outcomes.ends_with(told) && outcomes.is_empty() == told.is_empty(), "{outcomes}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// The table of one credential, whose value is in this file.
fn table(file: &Path) -> Table {
    let config = CredentialConfig {
        host: "a.test".parse().unwrap(),
        port: None,
        header: None,
        placeholder: "stand-in".to_owned(),
        prefix: String::new(),
        value: Value::File(file.to_owned()),
    };
    Table::read(vec![config], None).unwrap_or_else(|(host, error)| panic!("{host}: {error}"))
}
