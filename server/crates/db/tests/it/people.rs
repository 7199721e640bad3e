use db::{
    DbError,
    meta::people::{AccountRow, TokenRow},
};

use crate::Stores;

fn account(name: &str) -> AccountRow {
    AccountRow {
        name: name.into(),
        role: "admin".into(),
        password_hash: "hash".into(),
        created_at: 1,
    }
}

on_both_engines!(
    a_name_is_taken_once,
    a_session_ends_by_time_by_sign_out_and_by_a_new_password,
    removing_somebody_unknown_is_an_error,
    a_token_is_found_by_its_secret_until_it_is_revoked,
    a_setting_is_overwritten_and_survives_a_restart,
    names_are_in_the_order_of_their_bytes,
);

async fn a_name_is_taken_once(stores: Stores) {
    let meta = &stores.meta;
    meta.add_account(&account("ada")).await.unwrap();
    let error = meta.add_account(&account("ada")).await.unwrap_err();
    assert!(matches!(error, DbError::Conflict { .. }), "{error:?}");
    assert_eq!(error.to_string(), "account `ada` exists already");
    assert_eq!(meta.accounts().await.unwrap(), [account("ada")]);
}

async fn a_session_ends_by_time_by_sign_out_and_by_a_new_password(stores: Stores) {
    let meta = &stores.meta;
    meta.add_account(&account("ada")).await.unwrap();
    for secret in [b"a", b"b", b"c"] {
        meta.open_session(secret, "ada", 10, 100).await.unwrap();
    }
    assert_eq!(meta.session(b"a", 99).await.unwrap(), Some(account("ada")));
    assert_eq!(meta.session(b"a", 100).await.unwrap(), None);
    meta.close_session(b"a").await.unwrap();
    assert_eq!(meta.session(b"a", 50).await.unwrap(), None);
    assert!(meta.session(b"b", 50).await.unwrap().is_some());
    meta.set_password("ada", "other").await.unwrap();
    assert_eq!(meta.session(b"b", 50).await.unwrap(), None);
}

async fn removing_somebody_unknown_is_an_error(stores: Stores) {
    let meta = &stores.meta;
    for result in [
        meta.remove_account("bob").await,
        meta.set_password("bob", "x").await,
        meta.revoke_token("bob").await,
    ] {
        assert!(matches!(result, Err(DbError::NotFound { .. })), "{result:?}");
    }
}

async fn a_token_is_found_by_its_secret_until_it_is_revoked(stores: Stores) {
    let meta = &stores.meta;
    let token = TokenRow { name: "ci".into(), role: "viewer".into(), created_at: 3 };
    meta.add_token(&token, b"secret").await.unwrap();
    assert_eq!(meta.token(b"secret").await.unwrap(), Some(token.clone()));
    assert_eq!(meta.token(b"other").await.unwrap(), None);
    assert_eq!(meta.tokens().await.unwrap(), [token]);
    meta.revoke_token("ci").await.unwrap();
    assert_eq!(meta.token(b"secret").await.unwrap(), None);
}

async fn a_setting_is_overwritten_and_survives_a_restart(stores: Stores) {
    stores.meta.set_setting("a", "1").await.unwrap();
    stores.meta.set_setting("a", "2").await.unwrap();
    let stores = stores.reopen().await;
    assert_eq!(stores.meta.setting("a").await.unwrap(), Some("2".into()));
    assert_eq!(stores.meta.setting("b").await.unwrap(), None);
}

async fn names_are_in_the_order_of_their_bytes(stores: Stores) {
    let names = ["B", "_", "a", "ab", "é"];
    for name in ["é", "ab", "a", "_", "B"] {
        stores.meta.add_account(&account(name)).await.unwrap();
    }
    let accounts = stores.meta.accounts().await.unwrap();
    assert_eq!(accounts.iter().map(|account| &*account.name).collect::<Vec<_>>(), names);
}
