//! The plans of `benches/generator.py` for Goose: `goose-bench get|realistic PATH`, then Goose's own arguments.
//! Prints how many requests it made.

use goose::config::GooseConfiguration;
use goose::goose::GooseResponse;
use goose::prelude::*;
use rand::Rng;
use serde_json::{Value, json};
use std::sync::OnceLock;

static PATH: OnceLock<String> = OnceLock::new();

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(plan), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("goose-bench get|realistic PATH --host URL --users N --run-time 6s ...".into());
    };
    PATH.get_or_init(|| path);
    let rest: Vec<String> = arguments.collect();
    let configuration =
        <GooseConfiguration as clap::Parser>::parse_from(std::iter::once("goose-bench".into()).chain(rest));
    let scenario = if plan == "get" {
        scenario!("U").register_transaction(transaction!(get))
    } else {
        scenario!("U")
            .register_transaction(transaction!(list).set_weight(3)?)
            .register_transaction(transaction!(create).set_weight(2)?)
            .register_transaction(transaction!(login).set_weight(1)?)
    };
    let metrics =
        GooseAttack::initialize_with_config(configuration)?.register_scenario(scenario).execute().await?;
    let (good, bad) = metrics
        .requests
        .values()
        .fold((0, 0), |(good, bad), one| (good + one.success_count, bad + one.fail_count));
    println!("{good} good requests, {bad} bad");
    Ok(())
}

async fn get(user: &mut GooseUser) -> TransactionResult {
    let answer = user.get(PATH.get().expect("main has set it")).await?;
    if let Ok(response) = answer.response {
        let _ = response.bytes().await;
    }
    Ok(())
}

/// The value of `key` in the answer, which is counted as a failure unless it `fits`.
async fn checked(
    user: &mut GooseUser,
    mut answer: GooseResponse,
    key: &str,
    fits: fn(&Value) -> bool,
) -> Result<Value, Box<TransactionError>> {
    let status = answer.response.as_ref().map_or(0, |response| response.status().as_u16());
    let body: Value = match answer.response {
        Ok(response) => response.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    };
    if status != 200 || !fits(&body[key]) {
        user.set_failure("bad", &mut answer.request, None, None)?;
    }
    Ok(body)
}

async fn list(user: &mut GooseUser) -> TransactionResult {
    let page = rand::rng().random_range(1..=100);
    let answer = user.get_named(&format!("/items?page={page}"), "/items").await?;
    checked(user, answer, "id", |id| id.as_i64() > Some(0)).await?;
    Ok(())
}

async fn create(user: &mut GooseUser) -> TransactionResult {
    let word = ["lorem", "ipsum", "dolor"][rand::rng().random_range(0..3)];
    let body = json!({ "name": word, "n": rand::rng().random_range(1..=1000) });
    let answer = user.post_json("/items", &body).await?;
    let answer = checked(user, answer, "state", |state| state == "done").await?;
    user.set_session_data(answer["id"].clone());
    Ok(())
}

async fn login(user: &mut GooseUser) -> TransactionResult {
    let name = format!("user-{}", user.weighted_users_index);
    let body = json!({ "user": name, "attempt": user.get_iterations() });
    let answer = user.post_json("/login", &body).await?;
    let answer =
        checked(user, answer, "access_token", |token| token.as_str().is_some_and(|t| t.len() > 4)).await?;
    user.set_session_data(answer["access_token"].clone());
    Ok(())
}
