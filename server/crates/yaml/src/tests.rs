use super::*;

fn scalars(node: &Node) -> Vec<String> {
    match &node.kind {
        Kind::Null => vec!["null".to_owned()],
        Kind::Scalar(text) => {
            vec![format!("{}:{} {text}", node.place.line, node.place.column)]
        }
        Kind::List(items) => items.iter().flat_map(scalars).collect(),
        Kind::Map(entries) => entries
            .iter()
            .flat_map(|(key, value)| [scalars(key), scalars(value)].concat())
            .collect(),
    }
}

#[test]
fn scalars_keep_their_text_and_place() {
    let tree = parse("a: 0x10\nb: [1.50, yes, 'x y']\nc:\n").unwrap();
    let expected =
        ["1:1 a", "1:4 0x10", "2:1 b", "2:5 1.50", "2:11 yes", "2:16 x y", "3:1 c", "null"];
    assert_eq!(scalars(&tree), expected);
}

#[test]
fn a_document_of_comments_is_nothing() {
    assert!(parse("# only words\n\n").unwrap().is_null());
    assert!(parse("").unwrap().is_null());
}

#[test]
fn bad_yaml_names_its_place() {
    let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
    assert!(error.place.line >= 2, "{error}");
    assert!(!error.message.contains('\n'), "{error}");
}

#[test]
fn a_place_within_a_folded_text_is_found() {
    let source = "expr: >\n  up ==\n    0\n";
    let tree = parse(source).unwrap();
    let Kind::Map(entries) = &tree.kind else { panic!("a map") };
    let expr = &entries[0].1;
    let zero = expr.text().unwrap().find('0').unwrap();
    assert_eq!(expr.place_within(source, zero), Place { line: 3, column: 5 });
}
