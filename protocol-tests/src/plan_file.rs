//! Plans for tests.

/// A plan with one user class per group of the Platform API, `users` users at `spawn_rate` for `duration`, and
/// `threshold` on all of them. Users wait about `wait`.
pub fn platform(target: &str, load: &str, wait: &str, threshold: &str) -> String {
    format!(
        r#"version: 1
name: Platform API
target: {target}
load: {load}
thresholds: [ "{threshold}" ]
groups:
  auth: {{ thresholds: [ "success_rate >= 99%" ] }}
  generation: {{ thresholds: [ "success_rate >= 99%" ] }}
users:
  AuthUser:
    weight: 3
    group: auth
    wait: {wait}
    tasks:
      login:
        weight: 5
        post: /api/v1/auth/login
        json: {{ email: "demo-user-${{user.slot}}@example.com", password: demo-password }}
        expect: {{ status: 200 }}
      health: {{ weight: 2, get: /api/v1/auth/health }}
  GenerationUser:
    weight: 1
    group: generation
    wait: {wait}
    tasks:
      create:
        steps:
          - post: /api/v1/generation/create
            json: {{ prompt: "${{fake.sentence()}}" }}
            expect: {{ status: 202 }}
            save: {{ id: $.id }}
          - get: "/api/v1/generation/${{id}}"
            expect: {{ that: "json.id == id" }}
"#
    )
}

/// A plan that asks for generations at `target` and polls each until it is done, within a transaction.
pub fn polling(target: &str) -> String {
    format!(
        r#"version: 1
name: Polling
target: {target}
load: {{ users: 6, spawn_rate: 6/s, duration: 4s }}
groups:
  generation: {{ thresholds: [ "success_rate >= 99%" ] }}
flows:
  submit:
    steps:
      - post: /api/v1/generation/create
        json: {{ prompt: "${{prompt}}" }}
        expect: {{ status: 202 }}
        save: {{ id: $.id }}
users:
  Writer:
    group: generation
    wait: 50ms..100ms
    tasks:
      write:
        steps:
          - set: {{ prompt: "${{fake.sentence()}}" }}
          - group: answer a prompt
            thresholds: [ "success_rate >= 99%" ]
            steps:
              - call: submit
              - poll: "/api/v1/generation/${{id}}"
                every: 50ms
                until: json.status == 'done'
                fail_if: json.status == 'failed'
                timeout: 20s
                save: {{ result: $.result }}
                thresholds: [ "min >= 1ms" ]
          - if: result
            then: [ {{ get: /api/v1/generation/list }} ]
"#
    )
}
