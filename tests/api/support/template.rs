//! template.yaml as the tests read it.

use std::collections::BTreeMap;

use serde_json::Value;

/// The template, with its tags as members: `!Ref Api` is `{"!Ref": "Api"}`.
pub fn template() -> Value {
    let template: serde_norway::Value = serde_norway::from_str(include_str!("../../../template.yaml")).unwrap();
    serde_json::to_value(template).unwrap()
}

/// The resources of these types, by name.
pub fn resources(template: &Value, types: &[&str]) -> BTreeMap<String, Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let of_types = resources.filter(|(_, resource)| types.contains(&resource["Type"].as_str().unwrap()));
    of_types.map(|(name, resource)| (name.clone(), resource.clone())).collect()
}
