//! The world changes while the server runs: nothing new is given, and nothing that was given stays.

use std::time::Duration;

use crate::adapter::{ApplicationRole, ChangeName, ContactRole, Door, ResourceRole};
use crate::answer::Why;
use crate::attempt::{Attempt, Says};
use crate::case::{Cases, Stop, Verdict};
use crate::clock::Deadline;

const LOOK: Duration = Duration::from_millis(20);

/// Changes after which nobody may act for `allowed` through `main`.
const ENDING: &[(ChangeName, &str)] = &[
    (ChangeName::DisableApplication, "the application is switched off"),
    (ChangeName::DistrustApplication, "the application is no longer trusted"),
    (ChangeName::DisableContact, "the contact is switched off"),
    (ChangeName::DisableClient, "the clients are switched off"),
    (ChangeName::WithdrawTrust, "the clients withdraw their trust"),
    (ChangeName::SuspendMandate, "the contact's authority is suspended"),
    (ChangeName::EndWindow, "the window of the contact's authority ends"),
];

/// Changes after which there is less.
const NARROWING: &[(ChangeName, &str)] = &[
    (ChangeName::NarrowMandate, "the contact's permissions are taken away"),
    (ChangeName::NarrowTrust, "the clients lower their ceilings"),
];

pub(super) fn add(cases: &mut Cases) {
    for (name, words) in ENDING {
        let id = name.name().replace('_', "-");
        let title = format!("When {words}, no token is given any more");
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "contract 1, 8", |attempt| {
            by_main(attempt)?;
            attempt.ask()?.send()?.granted()?;
            changed(attempt, *name, || {
                let answer = attempt.ask()?.send()?;
                Ok(answer.refused(&[Why::Grant, Why::Client, Why::Unauthorized]).is_ok())
            })
        });
        let title = format!("When {words}, the tokens that are out are over");
        cases.at(&[Door::Introspection], (&id, &title), "RFC 7662 2.2; contract 5, 8", |attempt| {
            let there = attempt.there()?;
            by_main(&there)?;
            let token = attempt.token()?.access_token;
            attempt.about(Door::Introspection, ApplicationRole::Main, &token)?.send()?.active()?;
            changed(attempt, *name, || {
                let answer = attempt.about(Door::Introspection, ApplicationRole::Main, &token)?.send()?;
                Ok(answer.inactive().is_ok())
            })
        });
        let title = format!("When {words}, the tokens that are out open nothing");
        cases.at(&[Door::Resource], (&id, &title), "contract 4, 8", |attempt| {
            by_main(&attempt.there()?)?;
            let call = attempt.call(ResourceRole::Default, &attempt.token()?.access_token)?;
            call.send()?.let_through()?;
            changed(attempt, *name, || Ok(call.send()?.barred().is_ok()))?;
            // What was taken away does not come back to life with the authority.
            call.send()?.barred()
        });
    }
    for (name, words) in NARROWING {
        let id = name.name().replace('_', "-");
        let title = format!("When {words}, tokens have no more of them");
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "contract 1, 8", |attempt| {
            by_main(attempt)?;
            let before = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let held = &attempt.world.contact(ContactRole::Allowed)?.scopes;
            if held.iter().all(|name| !before.powers.contains(name)) {
                return Err(Stop::skip("a token for `allowed` has none of its `scopes`"));
            }
            changed(attempt, *name, || {
                let after = attempt.says(&attempt.ask()?.send()?.granted()?)?;
                Ok(held.iter().all(|name| !after.powers.contains(name)))
            })
        });
        let title = format!("When {words}, the tokens that have them are over");
        cases.at(&[Door::Introspection], (&id, &title), "RFC 7662 2.2; contract 5, 8", |attempt| {
            by_main(&attempt.there()?)?;
            let token = attempt.token()?.access_token;
            attempt.about(Door::Introspection, ApplicationRole::Main, &token)?.send()?.active()?;
            changed(attempt, *name, || {
                let answer = attempt.about(Door::Introspection, ApplicationRole::Main, &token)?.send()?;
                Ok(answer.inactive().is_ok())
            })
        });
    }
    cases.at(
        &super::TOKEN_DOORS,
        (
            "remove-resource",
            "When a resource is taken from the application, no token for it is given any more",
        ),
        "RFC 8707 2; contract 8",
        |attempt| {
            by_main(attempt)?;
            let second = &attempt.world.resource(ResourceRole::Second)?.id;
            let settings = attempt.world.adapter.door(attempt.door);
            let name = settings.map_or("resource", |settings| settings.resource_parameter.as_str());
            attempt.ask()?.with(name, second).send()?.granted()?;
            changed(attempt, ChangeName::RemoveResource, || {
                Ok(attempt.ask()?.with(name, second).send()?.refused(&[Why::Target]).is_ok())
            })
        },
    );
    cases.at(
        &[Door::ClientCredentials],
        ("retire-key", "When a key is no longer registered, what it signs proves nobody"),
        "RFC 7523 3; contract 6",
        |attempt| {
            let role = ApplicationRole::Signing;
            attempt.ask_as(role)?.send()?.granted()?;
            changed(attempt, ChangeName::RetireKey, || {
                Ok(attempt.ask_as(role)?.send()?.refused(&[Why::Client, Why::Grant]).is_ok())
            })
        },
    );
}

/// Changes are about `main`: what another application asks for would show nothing.
fn by_main(attempt: &Attempt<'_>) -> Result<(), Stop> {
    match attempt.role() {
        ApplicationRole::Main => Ok(()),
        role => Err(Stop::skip(format_args!(
            "`doors.{}` is used by `{role}`, and changes are about `main`",
            attempt.door
        ))),
    }
}

/// Makes a change, waits until `holds`, and takes it back whatever came.
fn changed(
    attempt: &Attempt<'_>,
    name: ChangeName,
    mut holds: impl FnMut() -> Result<bool, Stop>,
) -> Verdict {
    let before = usual(attempt)?;
    attempt.world.change(name, false)?;
    let patience = attempt.world.adapter.changes.get(&name).map_or(5_000, |change| change.within_ms);
    let verdict = wait(patience, &mut holds, name);
    attempt.world.change(name, true)?;
    verdict?;
    back(attempt, &before, patience)
}

fn wait(patience: u64, holds: &mut impl FnMut() -> Result<bool, Stop>, name: ChangeName) -> Verdict {
    let deadline = Deadline::after(Duration::from_millis(patience));
    loop {
        if holds()? {
            return Ok(());
        }
        if deadline.is_over() {
            let sent = format_args!("requests for {patience} ms after `{name}`").to_string();
            return Err(Stop::fail(sent, "what went before still goes"));
        }
        std::thread::sleep(LOOK);
    }
}

/// What tokens of `main` for `allowed` say as a rule: with what belongs to the resource `second`, where there is one.
fn usual(attempt: &Attempt<'_>) -> Result<[Option<Says>; 2], Stop> {
    let there = attempt.there()?;
    let plain = there.ask()?.send()?;
    let plain = (plain.status() == 200).then(|| there.says(&plain.granted()?)).transpose()?;
    let Ok(second) = attempt.world.resource(ResourceRole::Second) else { return Ok([plain, None]) };
    let settings = attempt.world.adapter.door(there.door);
    let name = settings.map_or("resource", |settings| settings.resource_parameter.as_str());
    let other = there.ask()?.with(name, &second.id).send()?;
    let other = (other.status() == 200).then(|| there.says(&other.granted()?)).transpose()?;
    Ok([plain, other])
}

/// Waits until the world is that of before, for the next case.
fn back(attempt: &Attempt<'_>, before: &[Option<Says>; 2], patience: u64) -> Verdict {
    let deadline = Deadline::after(Duration::from_millis(patience.max(5_000)));
    loop {
        let now = usual(attempt)?;
        let same = before.iter().zip(&now).all(|pair| match pair {
            (Some(before), Some(now)) => before.within(now).is_ok() && now.within(before).is_ok(),
            (None, None) => true,
            _ => false,
        });
        if same {
            return Ok(());
        }
        if deadline.is_over() {
            return Err(Stop::fail(
                "the honest request after the change was taken back",
                "another answer than before",
            ));
        }
        std::thread::sleep(LOOK);
    }
}
