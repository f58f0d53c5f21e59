//! The vectors of `test/vectors`, made by programs that share no code with this project.

use super::*;
use eipc_core::v1::ReplayWindow;
use eipc_core::v1::verify;
use eipc_core::wire::{Deframed, Deframer, FrameV1};
use eipc_testkit::v1::{frames, rejects, replays};

#[test]
fn every_frame_is_that_of_the_vectors_both_ways() {
    let vectors = frames();
    assert_eq!(vectors.len(), 63);
    for vector in vectors {
        let name = vector.text("name");
        let (frame, payload, key) =
            (vector.bytes("frame_hex"), vector.bytes("payload_hex"), vector.bytes("key_hex"));
        let kind = vector.text("type_byte").as_bytes()[0];
        assert_eq!(Kind::from_name(vector.text("type")), Kind::from_byte(kind), "{name}");
        let header = vector.header();
        let mut json = Vec::new();
        header_v1::write(&header, &mut json).unwrap();
        assert_eq!(String::from_utf8(json.clone()).unwrap(), vector.text("header_json"), "{name}");
        assert_eq!(header_v1::parse(&json, TimestampRule::Strict).unwrap(), header, "{name}");

        let signing_key = (vector.flags() == 1).then_some(&key[..]);
        assert_eq!(encode_frame(kind, &json, &payload, signing_key).unwrap(), frame, "{name}");
        let mut bytes = frame.clone();
        let decoded = decode_frame(&mut bytes, signing_key).unwrap();
        assert_eq!((decoded.kind, u64::from(decoded.flags())), (kind, vector.flags()), "{name}");
        assert_eq!((decoded.header, decoded.payload), (&json[..], &payload[..]), "{name}");
        assert_eq!(decoded.mac.map_or(vec![], |mac| mac.to_vec()), vector.bytes("mac_hex"), "{name}");
        assert_eq!(decoded.encode().unwrap(), frame, "{name}");
        if let Some(mac) = decoded.mac {
            let signable = decoded.signable_bytes().unwrap();
            assert_eq!(sign(&key, &signable).unwrap(), mac, "{name}");
            assert!(verify(&key, &signable, &mac).unwrap());
            assert!(!verify(b"x", &signable, &mac).unwrap());
        }

        let stream = vector.bytes("length_prefixed_hex");
        let mut out = vec![0; frame.len()];
        let found = Deframer::new(1 << 20).poll(&mut &stream[..], &mut out).unwrap();
        assert_eq!((found, out), (Deframed::Frame(frame.len()), frame), "{name}");
    }
}

#[test]
fn the_key_of_a_session_signs_as_its_bytes_do() {
    let session = key(NIA);
    let mut frame = encode_frame(b'i', b"{}", b"x", Some(&*session)).unwrap();
    assert_eq!(frame, encode_frame(b'i', b"{}", b"x", Some(NIA)).unwrap());
    assert_eq!(sign(&*session, b"x").unwrap(), sign(NIA, b"x").unwrap());
    assert!(verify(&*session, b"x", &sign(NIA, b"x").unwrap()).unwrap());
    assert!(!verify(&*session, b"y", &sign(NIA, b"x").unwrap()).unwrap());
    assert_eq!(decode_frame(&mut frame.clone(), Some(&*session)).unwrap().payload, b"x");
    frame[17] ^= 1;
    assert_eq!(decode_frame(&mut frame, Some(&*session)).unwrap_err().code, Code::Integrity);
}

#[test]
fn every_signed_message_of_the_vectors_is_received() {
    let mut received = 0;
    for vector in frames() {
        let header = vector.header();
        let kind = Kind::from_name(vector.text("type")).unwrap();
        let mut config = MacConfig::new(key(&vector.bytes("key_hex")), "eipc-server");
        config.peer_id = Some(header.service_id.clone().into_owned());
        let mut connection = Connection::mac_only(config, Time(0)).unwrap();
        let mut frame = vector.bytes("frame_hex");
        let is_large = frame.len() > 4_096;
        let result = connection.handle_frame(&mut frame, &Random::system(), Time(0));
        if vector.flags() == 0 {
            assert_eq!(result.unwrap_err().code, Code::Integrity);
        } else if is_large {
            assert_eq!(result.unwrap_err().code, Code::FrameTooLarge);
        } else if kind.is_handshake() {
            assert_eq!(result.unwrap_err().code, Code::UnsupportedType);
        } else {
            let Ok(eipc_core::v1::Received::Message(envelope)) = result else { panic!("{result:?}") };
            assert_eq!((envelope.kind(), envelope.sequence()), (kind, header.sequence));
            assert_eq!(envelope.payload(), vector.bytes("payload_hex"));
            assert_eq!(envelope.session_id(), header.session_id);
            let meta = envelope.meta();
            assert_eq!((&meta.source, &meta.request_id), (&header.service_id, &header.request_id));
            assert_eq!((&meta.capability, &meta.route), (&header.capability, &header.route));
            assert_eq!((meta.priority, meta.payload_format), (header.priority, header.payload_format));
            assert_eq!(meta.timestamp_ns, header.timestamp.unix_ns());
            received += 1;
        }
    }
    assert!(received > 30, "{received}");
}

#[test]
fn every_frame_of_the_rejects_is_refused_with_its_code() {
    let (bytes, rejects) = rejects();
    assert_eq!(rejects.len(), 17);
    for reject in rejects {
        let expected = match reject.error.as_str() {
            "TRUNCATED" => Code::Truncated,
            other => Code::from_name(&format!("EIPC_{other}")).unwrap(),
        };
        let mut config = MacConfig::new(key(&bytes), "eipc-server");
        config.peer_id = Some("eni.min".into());
        let mut connection = Connection::mac_only(config, Time(0)).unwrap();
        let error = connection
            .handle_frame(&mut reject.frame.clone(), &Random::system(), Time(0))
            .expect_err(&reject.name);
        assert_eq!(error.code, expected, "{}", reject.name);
        assert_eq!(connection.state(), State::Closed);

        let mut frame = reject.frame.clone();
        let decoded = decode_frame(&mut frame, Some(&bytes));
        match expected {
            Code::BadHeader => {
                let header = header_v1::parse(decoded.unwrap().header, TimestampRule::Strict);
                assert_eq!(header.unwrap_err().code, expected, "{}", reject.name);
            }
            _ => assert_eq!(decoded.unwrap_err().code, expected, "{}", reject.name),
        }
    }
}

#[test]
fn every_step_of_the_replay_vectors_is_decided_the_same_way() {
    let mut steps = 0;
    for replay in replays() {
        let mut window = ReplayWindow::new(WindowSize::new(replay.window).unwrap());
        for (sequence, is_fresh) in replay.steps {
            assert_eq!(window.accept(sequence), is_fresh, "window {}: {sequence}", replay.window);
            steps += 1;
        }
    }
    assert_eq!(steps, 1_600);
}

#[test]
fn keys_have_any_length_but_none() {
    for length in [1, 2, 15, 16, 63, 64, 65, 1_000] {
        let key = vec![7; length];
        let mut frame = encode_frame(b'i', b"{}", b"x", Some(&key)).unwrap();
        assert_eq!(decode_frame(&mut frame, Some(&key)).unwrap().payload, b"x");
        let other = decode_frame(&mut frame, Some(b"other")).unwrap_err();
        assert_eq!(other.code, Code::Integrity);
    }
    for error in [
        sign(b"", b"x").unwrap_err(),
        verify(b"", b"x", &[0; 32]).unwrap_err(),
        encode_frame(b'i', b"", b"", Some(b"")).unwrap_err(),
        decode_frame(&mut encode_frame(b'i', b"", b"", UNSIGNED).unwrap(), Some(b"")).unwrap_err(),
    ] {
        assert_eq!(error.code, Code::Key);
    }
    // What the original accepts: a frame from which the flag and the tag were taken.
    let mut stripped = encode_frame(b'i', b"{}", b"x", UNSIGNED).unwrap();
    assert_eq!(decode_frame(&mut stripped, Some(b"key")).unwrap_err().code, Code::Integrity);
    assert_eq!(FrameV1::decode(&mut stripped).unwrap().mac, None);
}
