//! What is looked at before the first case: a gap in the adapter must not read as an attack that succeeded.

use crate::adapter::{ClaimsFrom, ContactRole, Door, Subject};
use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::case::Stop;
use crate::cases::TOKEN_DOORS;
use crate::cli::Failure;
use crate::jwt::Jwt;
use crate::world::World;

/// Whether the server answers, and whether its tokens are what the adapter says.
///
/// # Errors
///
/// [`Failure::Usage`] when the adapter has to change, [`Failure::Setup`] when the server or a command does not do its
/// part. An honest request that is refused is none: each case tells of it.
pub(crate) fn look(world: &World) -> Result<(), Failure> {
    world.reachable().map_err(Failure::Setup)?;
    let doors = TOKEN_DOORS.into_iter().filter(|door| world.adapter.door(*door).is_some());
    doors.into_iter().try_for_each(|door| look_at(world, door))
}

fn look_at(world: &World, door: Door) -> Result<(), Failure> {
    let attempt = Attempt { world, door };
    let ask = match attempt.ask() {
        Ok(ask) => ask,
        Err(Stop::Skip(why)) if is_by_command(world, door) => {
            return Err(Failure::Setup(format!("`doors.{door}` for the contact `allowed`: {why}")));
        }
        Err(_) => return Ok(()),
    };
    let grant = match ask.send().and_then(Answer::granted) {
        Ok(grant) => grant,
        Err(Stop::Halt(why)) => return Err(Failure::Setup(why)),
        Err(_) => return Ok(()),
    };
    if world.adapter.claims.from == ClaimsFrom::Token && Jwt::read(&grant.access_token).is_none() {
        return Err(Failure::Usage(format!(
            "the access token from `doors.{door}` is no JWT: set `from = \"introspection\"` in `[claims]`, and \
             `introspection` in `[endpoints]`"
        )));
    }
    Ok(())
}

fn is_by_command(world: &World, door: Door) -> bool {
    let settings = world.adapter.door(door);
    let by_command = settings.is_some_and(|settings| matches!(settings.subject, Subject::Command(_)));
    by_command && world.contact(ContactRole::Allowed).is_ok()
}
