//! Checks of a DynamoDB table for offsets.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use datafusion_kinesis::checkpoint::{DynamoDbCommitter, OffsetCommitter};

use super::{Fixture, marked, problem};
use crate::dynamo::Dynamo;
use crate::support::served;

fn statements(fixture: &Fixture, url: &str) -> String {
    let statements = fixture.statements(&fixture.folder.join("checkpoint"));
    statements.replace(
        "OPTIONS (",
        &format!(
            "OPTIONS ('kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.tableName' 'offsets', \
             'kinesis.dynamodb.endpointUrl' '{url}', "
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_table_is_checked_and_a_missing_one_not_created() {
    let fixture = Fixture::new("dynamodb").await;
    let dynamo = Dynamo::new();
    let statements = statements(&fixture, &served(dynamo.database.clone()));
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(open[0].contains("'offsets' does not exist"), "{said}");
    let table = dynamo.client().describe_table().table_name("offsets");
    assert!(table.send().await.is_err(), "no table is created");

    let query = DynamoDbCommitter::over(dynamo.client(), "offsets", "q").unwrap();
    assert!(
        query.metadata().await.unwrap().is_none(),
        "the table is created"
    );
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    assert!(said.contains("✓ DynamoDB"), "{said}");
    let items = dynamo.client().scan().table_name("offsets").send().await;
    assert_eq!(items.unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_another_key_is_found() {
    let fixture = Fixture::new("key").await;
    let dynamo = Dynamo::new();
    let id = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash);
    let made = dynamo
        .client()
        .create_table()
        .table_name("offsets")
        .attribute_definitions(id.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    made.unwrap();
    let statements = statements(&fixture, &served(dynamo.database.clone()));
    let problem = problem(&fixture, &statements);
    assert!(
        problem.starts_with("✗ DynamoDB")
            && problem.contains(
                "has the key id (HASH, S), expected query (HASH, S) and entry (RANGE, N)"
            )
            && problem.contains("'kinesis.dynamodb.tableName'"),
        "{problem}"
    );
}
