//! The same with the offsets in a DynamoDB table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use datafusion_kinesis::checkpoint::{DynamoDbCommitter, OffsetCommitter};

use super::{Ground, complaint, marked};
use crate::dynamo::Dynamo;
use crate::support::served;

fn statements(ground: &Ground, url: &str) -> String {
    let statements = ground.statements(&ground.folder.join("checkpoint"));
    statements.replace(
        "OPTIONS (",
        &format!(
            "OPTIONS ('kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.tableName' 'offsets', \
             'kinesis.dynamodb.endpointUrl' '{url}', "
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_tried_if_it_is_there_and_not_made_if_it_is_not() {
    let ground = Ground::new("dynamodb").await;
    let dynamo = Dynamo::new();
    let statements = statements(&ground, &served(dynamo.database.clone()));
    let (said, code) = ground.examined(&statements);
    assert_eq!(code, Some(0), "{said}");
    let open = marked(&said, '–');
    assert!(open[0].contains("'offsets' does not exist"), "{said}");
    let table = dynamo.client().describe_table().table_name("offsets");
    assert!(table.send().await.is_err(), "nothing is made");

    let query = DynamoDbCommitter::over(dynamo.client(), "offsets", "q").unwrap();
    assert!(
        query.metadata().await.unwrap().is_none(),
        "the table is made"
    );
    let (said, code) = ground.examined(&statements);
    assert_eq!(code, Some(0), "{said}");
    assert!(marked(&said, '–').is_empty(), "{said}");
    assert!(said.contains("✓ DynamoDB"), "{said}");
    let items = dynamo.client().scan().table_name("offsets").send().await;
    assert_eq!(items.unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_another_key_is_found() {
    let ground = Ground::new("key").await;
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
    let statements = statements(&ground, &served(dynamo.database.clone()));
    let complaint = complaint(&ground, &statements);
    assert!(
        complaint.starts_with("✗ DynamoDB")
            && complaint.contains(
                "has the key id (HASH, S), expected query (HASH, S) and entry (RANGE, N)"
            )
            && complaint.contains("'kinesis.dynamodb.tableName'"),
        "{complaint}"
    );
}
