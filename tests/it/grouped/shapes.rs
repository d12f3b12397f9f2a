//! Many kinds of statements below a GROUP BY or DISTINCT: subqueries on static tables, struct and
//! map fields, unnested lists. However they are optimized, the groups of all batches and starts are
//! those of one query over all rows.

use super::*;

/// `{u}` is the table that is read.
const SHAPES: [&str; 33] = [
    // Scalar subqueries.
    "SELECT count(*) FROM {u} WHERE CAST(CAST(data AS VARCHAR) AS INT) < (SELECT max(w) FROM dim)",
    "SELECT (SELECT max(w) FROM dim) AS k, count(*) FROM {u} GROUP BY k",
    "SELECT CAST(CAST(data AS VARCHAR) AS INT) % (SELECT min(w) FROM dim) AS k, count(*) FROM {u} GROUP BY k",
    "SELECT partitionKey, count(*) FILTER (WHERE CAST(data AS VARCHAR) > (SELECT CAST(min(w) AS VARCHAR) FROM dim))
     FROM {u} GROUP BY partitionKey",
    "SELECT partitionKey, sum(CAST(CAST(data AS VARCHAR) AS INT) + (SELECT max(w) FROM dim)) FROM {u} GROUP BY partitionKey",
    "SELECT partitionKey, count(*) FROM {u} GROUP BY partitionKey HAVING count(*) > (SELECT min(w) - 1 FROM dim)",
    "SELECT partitionKey, count(*) * (SELECT max(w) FROM dim WHERE w < (SELECT max(w) FROM dim)) FROM {u}
     WHERE CAST(data AS VARCHAR) <> (SELECT 'x') GROUP BY partitionKey",
    "SELECT DISTINCT partitionKey, (SELECT max(name) FROM dim) FROM {u}",
    "SELECT DISTINCT partitionKey FROM {u} WHERE CAST(data AS VARCHAR) <> (SELECT max(name) FROM dim)",
    "SELECT k, sum(w) FROM (SELECT partitionKey k, (SELECT max(w) FROM dim WHERE name = {u}.partitionKey) w FROM {u}) GROUP BY k",
    "SELECT k, count(*) FROM (SELECT (SELECT max(w) FROM dim WHERE name = {u}.partitionKey) k FROM {u}) GROUP BY k",
    "SELECT x.k, count(*) FROM (SELECT (SELECT max(w) FROM dim) AS k FROM {u}) x GROUP BY x.k",
    // IN and EXISTS.
    "SELECT count(*) FROM {u} WHERE CAST(data AS VARCHAR) IN (SELECT CAST(w AS VARCHAR) FROM dim)",
    "SELECT partitionKey, count(*) FROM {u} WHERE partitionKey NOT IN (SELECT name FROM dim WHERE w = 2) GROUP BY partitionKey",
    "SELECT partitionKey, count(*) FROM {u} WHERE EXISTS (SELECT 1 FROM dim WHERE name = {u}.partitionKey) GROUP BY partitionKey",
    "SELECT partitionKey, count(*) FROM {u} WHERE EXISTS (SELECT 1 FROM dim WHERE w > (SELECT min(w) FROM dim)) GROUP BY partitionKey",
    // Fields.
    "SELECT max(s['i']) FROM (SELECT named_struct('i', partitionKey) s FROM {u})",
    "SELECT s['i'], sum(s['n']), count(DISTINCT s['n']) FROM
     (SELECT named_struct('i', partitionKey, 'n', CAST(CAST(data AS VARCHAR) AS INT)) s FROM {u}) GROUP BY s['i']",
    "SELECT s['i'] AS k, sum(s['n'] + 1), sum(s['n'] + 2) FROM
     (SELECT named_struct('i', partitionKey, 'n', CAST(CAST(data AS VARCHAR) AS INT)) s FROM {u}) GROUP BY k",
    "SELECT s['a']['b'] AS k, count(*) FILTER (WHERE s['a']['b'] <> 'a') FROM
     (SELECT named_struct('a', named_struct('b', partitionKey)) s FROM {u}) GROUP BY k",
    "SELECT DISTINCT s['i'] FROM (SELECT named_struct('i', partitionKey) s FROM {u})",
    "SELECT DISTINCT s FROM (SELECT named_struct('i', partitionKey) s FROM {u})",
    "SELECT m['a'] AS k, count(*) FROM (SELECT map(['a'], [partitionKey]) m FROM {u}) GROUP BY k",
    "SELECT max(m['a'][1]) FROM (SELECT map(['a'], [[partitionKey]]) m FROM {u})",
    "SELECT l[1] AS k, max(l[2]) FROM (SELECT [partitionKey, CAST(data AS VARCHAR)] l FROM {u}) GROUP BY k",
    // Lists.
    "SELECT x, count(*) FROM (SELECT unnest([partitionKey, 'q']) x FROM {u}) GROUP BY x",
    "SELECT x['i'] AS k, count(*) FROM (SELECT unnest([named_struct('i', partitionKey)]) x FROM {u}) GROUP BY k",
    "SELECT x, y, count(*) FROM (SELECT unnest(named_struct('x', partitionKey, 'y', CAST(data AS VARCHAR))) FROM {u}) t(x, y)
     GROUP BY x, y",
    // Repeated expressions.
    "SELECT upper(partitionKey || 'x') AS k, max(upper(partitionKey || 'x')), min(upper(partitionKey || 'x') || 'y')
     FROM {u} GROUP BY upper(partitionKey || 'x')",
    "SELECT sum(n + 1), sum(n + 2), count(DISTINCT n * 2), count(DISTINCT n * 2 + 1)
     FROM (SELECT CAST(CAST(data AS VARCHAR) AS INT) n FROM {u})",
    "SELECT partitionKey, avg(n * n), stddev(n * n) > 0, max(n * n) FILTER (WHERE n * n > 1)
     FROM (SELECT partitionKey, CAST(CAST(data AS VARCHAR) AS INT) n FROM {u}) GROUP BY partitionKey",
    "SELECT name, count(*), max(w) FROM {u} JOIN dim ON name = partitionKey GROUP BY name",
    "SELECT k, count(*) FROM (SELECT partitionKey k FROM {u} UNION ALL SELECT CAST(data AS VARCHAR) FROM {u}) GROUP BY k",
];

/// A world with the stream `u`, and the bounded table `s` of the same stream.
async fn world() -> World {
    let world = World::new();
    world.unbounded_table("u", 2, FROM_THE_START).await;
    world.table_again("s", "u", "").await;
    world
        .run("CREATE TABLE dim (w INT, name VARCHAR) AS VALUES (2, 'a'), (4, 'c')")
        .await;
    world
}

/// The rows of a statement over all available records.
async fn at_once(world: &World, shape: &str) -> Vec<String> {
    let frame = datafusion_kinesis::sql(&world.ctx, &shape.replace("{u}", "s")).await;
    let rows = frame.unwrap().collect().await.unwrap();
    let mut lines: Vec<String> = rows.iter().flat_map(text).collect();
    lines.sort();
    lines
}

#[tokio::test(start_paused = true)]
async fn any_statement_below_the_groups_gives_the_result_of_one_query() {
    let mut wrong = Vec::new();
    for (number, shape) in SHAPES.iter().enumerate() {
        let world = world().await;
        let lines = Lines::default();
        let sql = shape.replace("{u}", "u");
        let place = format!("memory://grouped-shapes-{number}");
        for life in 0..3 {
            for (key, data) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "1"), ("d", "5")] {
                world.put("u", key, data).await;
            }
            let query = lines.of(grouped(&world, &sql, OutputMode::Complete));
            let query = query.with_checkpoint_location(&place);
            let query = query.as_in_another_process().start().await;
            let ran = async {
                let query = query?;
                query.process_all_available().await?;
                world.put("u", "c", "4").await;
                query.process_all_available().await?;
                query.stop().await
            };
            if let Err(error) = ran.await {
                wrong.push(format!("{shape}\n  start {life}: {error}"));
                break;
            }
            let (given, expected) = (lines.given().pop(), at_once(&world, shape).await);
            if given.as_ref() != Some(&expected) {
                wrong.push(format!(
                    "{shape}\n  start {life}: {given:?}, not {expected:?}"
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names that the optimizer generates differ between batches, and must not be visible.
#[tokio::test(start_paused = true)]
async fn generated_names_are_not_visible_in_state_columns() {
    let world = world().await;
    let place = "memory://grouped-shapes-names";
    let sql = "SELECT s['i'] AS k, max(s['i']), count(DISTINCT upper(s['i']) || upper(s['i']))
        FROM (SELECT named_struct('i', partitionKey) s FROM u) GROUP BY s['i']";
    let mut before = None;
    for _ in 0..3 {
        world.put("u", "a", "1").await;
        let query = Lines::default().of(grouped(&world, sql, OutputMode::Update));
        run(query.with_checkpoint_location(place)).await;
        let statement = format!("SELECT * FROM read_state('{place}')");
        let frame = datafusion_kinesis::sql(&world.ctx, &statement).await;
        let frame = frame.unwrap();
        let names = frame.schema().fields().iter();
        let names: Vec<String> = names.map(|field| field.name().clone()).collect();
        assert_eq!(before.get_or_insert(names.clone()), &names);
        assert_eq!(names.len(), 4, "{names:?}");
        let extracted = names.iter().find(|name| name.contains("__datafusion"));
        assert_eq!(extracted, None, "{names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_over_a_struct_field_is_closed_by_the_watermark() {
    let world = world().await;
    let lines = Lines::default();
    let sql = "SELECT arrow_cast(window_start, 'Int64'), max(s['k']) FROM
        (SELECT named_struct('ts', to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)), 'k', partitionKey) s
         FROM u WHERE CAST(data AS VARCHAR) <> (SELECT max(name) FROM dim))
        GROUP BY tumble(s['ts'], INTERVAL '10 milliseconds')";
    let query = lines.of(grouped(&world, sql, OutputMode::Append));
    let query = query
        .with_watermark(Duration::ZERO, None)
        .start()
        .await
        .unwrap();
    for time in ["1", "5", "12", "30"] {
        world.put("u", "a", time).await;
        query.process_all_available().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    query.stop().await.unwrap();
    assert_eq!(lines.given().concat(), ["0 a", "10 a"]);
}
