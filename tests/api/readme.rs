//! What README.md says about the source.

use std::fs;
use std::path::Path;

/// The rows of "Where to start": a file and its number of lines. A fifth more or less may stay as it is.
#[test]
fn the_files_to_start_with_are_as_long_as_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Where to start\n").expect("the section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> =
        rows.map(|(file, rest)| (file, rest.split(' ').next().unwrap().parse::<usize>().unwrap())).collect();
    assert_eq!(rows.len(), 5);
    for (file, stated) in rows {
        let lines =
            fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")).lines().count();
        assert!(lines.abs_diff(stated) * 5 <= lines, "{file}: the README says about {stated} lines, found {lines}");
    }
}
