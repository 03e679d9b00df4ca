//! The README's promises each name a test; the tests must be there.

use std::{fs, path::Path};

#[test]
fn every_test_it_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("a README");
    let named: Vec<_> = readme.split('`').filter_map(|code| code.split_once(".rs: ")).collect();
    for (file, test) in &named {
        let folder = if file.contains('/') { "src" } else { "tests" };
        let path = root.join(folder).join(file).with_extension("rs");
        let source = fs::read_to_string(&path).expect(file);
        assert!(source.contains(&format!("fn {test}(")), "{}: no {test}", path.display());
    }
    assert!(named.len() > 10, "the table is read");
}
