use super::rows;
use super::world::World;

/// Supported statements, and their results for a batch with the words "a", "b" and "b".
const ALLOWED: &[(&str, &[&str])] = &[
    ("SELECT word FROM w", &["a", "b", "b"]),
    ("SELECT upper(word) FROM w WHERE word = 'b'", &["B", "B"]),
    (
        "SELECT word FROM w UNION ALL SELECT word || '2' FROM w WHERE word = 'a'",
        &["a", "a2", "b", "b"],
    ),
    (
        "WITH x AS (SELECT word FROM w) SELECT y.word FROM x AS y WHERE y.word <> 'a'",
        &["b", "b"],
    ),
    (
        "SELECT unnest([word, 'x']) FROM w WHERE word = 'a'",
        &["a", "x"],
    ),
    (
        "SELECT name FROM w JOIN names ON key = word",
        &["Ada", "Bob", "Bob"],
    ),
    ("SELECT name FROM names, w WHERE key = word AND word = 'a'", &["Ada"]),
    (
        "SELECT name FROM w LEFT JOIN names ON key = word AND key = 'a'",
        &["Ada", "null", "null"],
    ),
    (
        "SELECT name FROM names RIGHT JOIN w ON key = word AND key = 'a'",
        &["Ada", "null", "null"],
    ),
    ("SELECT word FROM w LEFT SEMI JOIN names ON key = word AND key = 'a'", &["a"]),
    ("SELECT word FROM w LEFT ANTI JOIN names ON key = word AND key = 'a'", &["b", "b"]),
    ("SELECT word FROM names RIGHT SEMI JOIN w ON key = word AND key = 'a'", &["a"]),
    ("SELECT word FROM w JOIN (VALUES ('b')) AS v (x) ON x = word", &["b", "b"]),
    ("SELECT word || n FROM w CROSS JOIN (SELECT count(*) AS n FROM names)", &["a3", "b3", "b3"]),
    (
        "SELECT word FROM w WHERE word IN (SELECT key FROM names ORDER BY key LIMIT 1)",
        &["a"],
    ),
    (
        "SELECT word FROM w WHERE EXISTS (SELECT 1 FROM names WHERE key = word AND name = 'Bob')",
        &["b", "b"],
    ),
    (
        "SELECT word || (SELECT max(name) FROM names) FROM w WHERE word = 'a'",
        &["aCy"],
    ),
    (
        "SELECT w.word FROM w JOIN (SELECT DISTINCT CAST(data AS VARCHAR) AS word FROM bounded) AS o
         ON o.word = w.word",
        &["a", "b", "b"],
    ),
    (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 2)
         SELECT word || n FROM w, r WHERE word = 'a'",
        &["a1", "a2"],
    ),
    (
        "SELECT x.name FROM w, LATERAL (SELECT name FROM names WHERE key = word) AS x",
        &["Ada", "Bob", "Bob"],
    ),
    ("SELECT word FROM frame", &["a", "b", "b"]),
];

#[tokio::test(start_paused = true)]
async fn supported_statements_run() {
    let world = World::new().await;
    for word in ["a", "b", "b"] {
        world.put("words", word).await;
    }
    let frame = crate::sql(&world.ctx, "SELECT word FROM w").await.unwrap();
    world
        .ctx
        .register_table("frame", frame.into_view())
        .unwrap();
    for (sql, expected) in ALLOWED {
        let plan = world.streaming(sql).await.unwrap();
        assert_eq!(plan.sources.len(), 1, "{sql}");
        let batch = plan.for_batch(&[world.all()]).unwrap();
        assert_eq!(
            rows(&world.ctx.state(), &batch.plan).await,
            *expected,
            "{sql}"
        );
    }
}
