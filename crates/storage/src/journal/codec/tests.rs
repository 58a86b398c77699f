use super::*;

fn issued(clients: usize) -> Record {
    issued_by(Door::ContactToken, clients)
}

fn issued_by(door: Door, clients: usize) -> Record {
    Record::Issued(Issued {
        door,
        bound_to: None,
        reference: RandomId([0xA1; 16]),
        id_token_jti: RandomId([0xB2; 16]),
        contact: ContactNo(u32::MAX),
        application: ApplicationNo(u32::MAX),
        clients: (0..clients).map(|no| ClientNo(u32::MAX - no as u32)).collect(),
        resource: ResourceNo(u32::MAX),
        id_token_key: Some(KeyNo(u32::MAX)),
        access_token_key: KeyNo(u32::MAX),
        expires_at: UnixSeconds(4_102_444_800),
        version: Version(u64::MAX),
    })
}

fn bound(door: Door, binding: Binding) -> Record {
    let Record::Issued(issued) = issued_by(door, 2) else { unreachable!() };
    Record::Issued(Issued { bound_to: Some(binding), ..issued })
}

fn without_id_token() -> Record {
    let Record::Issued(issued) = issued_by(Door::TokenExchange, 2) else { unreachable!() };
    Record::Issued(Issued { id_token_key: None, ..issued })
}

fn refused(contact: AskedFor, cause: RefusalCause) -> Record {
    Record::Refused(Refused {
        reference: RandomId([1; 16]),
        application: ApplicationNo(7),
        contact,
        cause,
        missed: 0x0105,
        version: Version(300),
    })
}

fn changed(actor: Actor, entity: Entity, token: Option<[u8; 32]>) -> Changed {
    Changed {
        change: ChangeSeq(99),
        version: Version(100),
        committed_at: UnixMillis(1_790_000_000_000),
        actor,
        entity,
        action: Action::Disable,
        number: 5,
        client: 6,
        token,
    }
}

fn used() -> Record {
    Record::AssertionUsed(AssertionUsed {
        application: ApplicationNo(u32::MAX),
        digest: [0xC3; 16],
        expires_at: UnixSeconds(4_102_444_800),
    })
}

fn every_kind() -> Vec<Record> {
    let mut all = vec![
        issued(0),
        issued(3),
        issued(200),
        issued_by(Door::JwtBearer, 3),
        issued_by(Door::TokenExchange, 1),
        without_id_token(),
        bound(Door::ContactToken, Binding::Certificate([0xD4; 32].into())),
        bound(Door::JwtBearer, Binding::Key([0xE5; 32].into())),
        bound(Door::TokenExchange, Binding::CertificateAndKey([0xD4; 32].into(), [0xE5; 32].into())),
        Record::OwnIssued(OwnIssued {
            reference: RandomId([0xA1; 16]),
            jti_seed: RandomId([0xB2; 16]),
            application: ApplicationNo(u32::MAX),
            resource: ResourceNo(u32::MAX),
            access_token_key: KeyNo(u32::MAX),
            expires_at: UnixSeconds(4_102_444_800),
            version: Version(u64::MAX),
            bound_to: Some(Binding::Key([0xE5; 32].into())),
        }),
        Record::Started(Started { version: Version(12) }),
        Record::AuthenticationFailures(AuthenticationFailures {
            known_application: 3,
            unknown_application: u32::MAX,
            since: UnixMillis(-5),
        }),
        used(),
    ];
    let (contact, application) = (ContactNo(u32::MAX), ApplicationNo(u32::MAX));
    for actor in [
        Actor::Server,
        Actor::Operator { uid: 0 },
        Actor::Operator { uid: u32::MAX },
        Actor::Application { application },
        Actor::Contact { contact, application },
    ] {
        for (entity, token) in [
            (Entity::Mandate, None),
            (Entity::Mandate, Some([9; 32])),
            (Entity::Token, None),
            (Entity::Token, Some([0xFF; 32])),
        ] {
            all.push(Record::Changed(changed(actor, entity, token)));
        }
    }
    for cause in RefusalCause::ALL {
        all.push(refused(AskedFor::Known(ContactNo(u32::MAX)), *cause));
        all.push(refused(AskedFor::Unknown([0xFF; 16]), *cause));
        all.push(refused(AskedFor::Nobody, *cause));
    }
    all
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes
}

#[test]
fn every_kind_of_record_reads_back() {
    for record in every_kind() {
        assert_eq!(decode(&encoded(&record)), Ok(record));
    }
}

#[test]
fn a_payload_that_is_cut_or_longer_is_refused() {
    for record in every_kind() {
        let bytes = encoded(&record);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(UnknownPayload), "{record:?} cut at {end}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(UnknownPayload));
    }
}

#[test]
fn an_issue_with_three_clients_takes_at_most_110_bytes() {
    assert!(encoded(&issued(3)).len() <= 110, "{}", encoded(&issued(3)).len());
}

#[test]
fn a_used_assertion_takes_at_most_32_bytes_and_is_found_without_reading_others() {
    assert!(encoded(&used()).len() <= 32, "{}", encoded(&used()).len());
    for record in every_kind() {
        let expected = if let Record::AssertionUsed(used) = record { Some(used) } else { None };
        assert_eq!(assertion_of(&encoded(&record)), expected);
    }
    assert_eq!(assertion_of(&[]), None);
    assert_eq!(assertion_of(&encoded(&used())[..20]), None);
}

#[test]
fn all_refusals_have_one_length() {
    let lengths: Vec<usize> = every_kind()
        .iter()
        .filter(|record| matches!(record, Record::Refused(_)))
        .map(|record| encoded(record).len())
        .collect();
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
}

#[test]
fn only_a_change_tells_its_row_and_only_it_and_a_start_may_use_the_reserve() {
    for record in every_kind() {
        let is_change = matches!(record, Record::Changed(_));
        assert_eq!(change_of(&encoded(&record)), is_change.then_some(99));
        let may = is_change || matches!(record, Record::Started(_));
        assert_eq!(class_of(&record) == Class::Change, may);
    }
}

#[test]
fn a_change_of_before_is_written_and_read_as_it_was_and_has_no_second_form() {
    let plain = Record::Changed(changed(Actor::Operator { uid: 1_000 }, Entity::Mandate, None));
    let bytes = encoded(&plain);
    let written = [0x31, 99, 100, 0x80, 0xB0, 0x83, 0xC5, 0x98, 0x68, 0xE9, 0x07, 4, 3, 5, 6];
    assert_eq!(bytes, written);
    assert_eq!(decode(&written), Ok(plain));
    let mut second = bytes.clone();
    second[0] = CHANGED_BY;
    second.push(0);
    assert_eq!(decode(&second), Err(UnknownPayload));
    let by = encoded(&Record::Changed(changed(Actor::Server, Entity::Token, None)));
    let mut second = by[..by.len() - 1].to_vec();
    second[0] = CHANGED;
    assert_eq!(decode(&second), Err(UnknownPayload));
}

#[test]
fn a_number_has_one_form() {
    assert_eq!(Fields(&[0x80, 0x01]).number(), Ok(128));
    assert_eq!(Fields(&[0x80, 0x00]).number(), Err(UnknownPayload));
    let too_large = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
    assert_eq!(Fields(&too_large).number(), Err(UnknownPayload));
    for value in [0, 1, -1, i64::MAX, i64::MIN] {
        let mut bytes = Vec::new();
        signed(&mut bytes, value);
        assert_eq!(Fields(&bytes).signed(), Ok(value));
    }
}

#[test]
fn an_issue_by_the_first_door_has_one_form() {
    let mut bytes = encoded(&issued(1));
    assert_eq!(bytes[0], ISSUED);
    bytes.splice(..1, [ISSUED_BY, Door::ContactToken.code(), 0]);
    assert_eq!(decode(&bytes), Err(UnknownPayload));
    bytes[1] = 0;
    assert_eq!(decode(&bytes), Err(UnknownPayload));
    bytes[1] = Door::JwtBearer.code();
    assert!(decode(&bytes).is_ok());
    bytes[2] = 4;
    assert_eq!(decode(&bytes), Err(UnknownPayload), "bound to what nobody knows");
}
