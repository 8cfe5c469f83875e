//! A real engine with the table of template.yaml: for the tests, and for `make run`.

use std::sync::LazyLock;

use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::errors::DynoxideError;
use serde_norway::Value;
use tokio::net::TcpListener;

/// The name of the table in a local engine.
pub const TABLE: &str = "project-flows";

/// What `CreateTable` takes, but for the name; its members have the names of the template's properties.
static DEFINITION: LazyLock<Result<serde_json::Value, String>> = LazyLock::new(|| {
    let template: Value =
        serde_norway::from_str(include_str!("../../../template.yaml")).map_err(|error| error.to_string())?;
    let properties = &template["Resources"]["Table"]["Properties"];
    ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode"]
        .into_iter()
        .map(|property| {
            let value = serde_json::to_value(&properties[property]).map_err(|error| error.to_string())?;
            Ok((property.to_owned(), value))
        })
        .collect()
});

/// Creates the table as template.yaml defines it, unless it is there already.
pub fn create_table(database: &Database) -> Result<(), String> {
    create_table_named(database, TABLE)
}

/// The same, under another name.
pub fn create_table_named(database: &Database, name: &str) -> Result<(), String> {
    let mut request = DEFINITION.clone()?;
    request["TableName"] = name.into();
    let request: CreateTableRequest = serde_json::from_value(request).map_err(|error| error.to_string())?;
    match database.create_table(request) {
        Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Serves `database` on `listener` for as long as the runtime lives, and says where.
pub fn serve(database: Database, listener: TcpListener) -> std::io::Result<String> {
    let address = listener.local_addr()?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(format!("http://{address}"))
}
