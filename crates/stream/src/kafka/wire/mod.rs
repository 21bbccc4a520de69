//! One connection to a broker, for the requests that librdkafka's Rust client does not have: users, rights and quotas.

mod scram;
mod tls;

use super::config::KafkaConfig;
use crate::{Mechanism, StreamError};
use bytes::{Bytes, BytesMut};
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::{
    ApiKey, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use runtime::Secret;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// An answer is at most so large; what is larger is no Kafka.
const LARGEST: usize = 64 << 20;
/// What a broker computes with a password, as its own tools do.
const ITERATIONS: i32 = 8192;
const SALT: usize = 32;

/// What a broker keeps of a password.
pub(super) struct Salted {
    pub(super) iterations: i32,
    pub(super) salt: Vec<u8>,
    pub(super) password: Vec<u8>,
}

impl Salted {
    pub(super) fn of(mechanism: Mechanism, password: &Secret) -> Result<Self, StreamError> {
        let salt = random::<SALT>()?.to_vec();
        let text = password.expose().as_bytes();
        let iterations = ITERATIONS.unsigned_abs();
        Ok(Self {
            iterations: ITERATIONS,
            password: scram::salted(mechanism, text, &salt, iterations),
            salt,
        })
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A connection that is logged in.
pub(super) struct Wire {
    socket: Box<dyn Socket>,
    correlation: i32,
    /// The mechanisms of the listener; none without a login.
    pub(super) mechanisms: Vec<Mechanism>,
}

fn unreachable(broker: &str, reason: impl std::fmt::Display) -> StreamError {
    StreamError::Unreachable {
        reason: format!("{broker}: {reason}"),
    }
}

/// An answer's error code, with its own text where it has one.
pub(super) fn judged(
    what: impl std::fmt::Display,
    code: i16,
    text: Option<&StrBytes>,
) -> Result<(), StreamError> {
    let Some(error) = code.err() else {
        return Ok(());
    };
    let text = text.filter(|text| !text.is_empty());
    let reason = match text {
        Some(text) => format!("{what}: {text}"),
        None => format!("{what}: {error:?}"),
    };
    Err(match error {
        ResponseError::ClusterAuthorizationFailed
        | ResponseError::TopicAuthorizationFailed
        | ResponseError::GroupAuthorizationFailed
        | ResponseError::SaslAuthenticationFailed => StreamError::Unauthorized { reason },
        error if error.is_retriable() => StreamError::Unreachable { reason },
        _ => StreamError::Unusable { reason },
    })
}

fn random<const N: usize>() -> Result<[u8; N], StreamError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StreamError::Unusable {
        reason: format!("no random numbers to be had: {error}"),
    })?;
    Ok(bytes)
}

impl Wire {
    /// Connects to the first broker of the configuration that answers.
    pub(super) async fn open(config: &KafkaConfig) -> Result<Self, StreamError> {
        let mut last = unreachable("kafka", "no broker is named");
        for broker in &config.brokers {
            match Self::connect(config, broker).await {
                Ok(wire) => return Ok(wire),
                // The next broker would say the same.
                Err(error @ (StreamError::Unauthorized { .. } | StreamError::Unusable { .. })) => {
                    return Err(error);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to this broker.
    pub(super) async fn connect(config: &KafkaConfig, broker: &str) -> Result<Self, StreamError> {
        match timeout(ANSWER, Self::greet(config, broker)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unreachable(broker, "no answer within 10 s")),
        }
    }

    async fn greet(config: &KafkaConfig, broker: &str) -> Result<Self, StreamError> {
        let security = &config.security;
        let socket = TcpStream::connect(broker).await;
        let socket = socket.map_err(|error| unreachable(broker, error))?;
        let socket: Box<dyn Socket> = if security.protocol.is_encrypted() {
            Box::new(tls::wrap(security, broker, socket).await?)
        } else {
            Box::new(socket)
        };
        let mut wire = Self {
            socket,
            correlation: 0,
            mechanisms: Vec::new(),
        };
        if let Some((name, password)) = security.login()? {
            wire.login(security.mechanism, &name, &password).await?;
        }
        Ok(wire)
    }

    async fn login(
        &mut self,
        mechanism: Mechanism,
        name: &str,
        password: &Secret,
    ) -> Result<(), StreamError> {
        let named = StrBytes::from_static_str(mechanism.as_str());
        let handshake = SaslHandshakeRequest::default().with_mechanism(named);
        let answer: SaslHandshakeResponse = self.call(ApiKey::SaslHandshake, 1, &handshake).await?;
        let offered = answer.mechanisms.iter();
        self.mechanisms = offered.filter_map(|each| Mechanism::parse(each)).collect();
        if !answer.error_code.is_ok() {
            let offered: Vec<&str> = answer.mechanisms.iter().map(|each| &**each).collect();
            return Err(StreamError::Unusable {
                reason: format!(
                    "the brokers have no {mechanism}, but {}",
                    offered.join(", ")
                ),
            });
        }
        let refused = |reason: String| StreamError::Unauthorized {
            reason: format!("{mechanism} login as `{name}`: {reason}"),
        };
        let login = scram::Login::new(mechanism, name, password.expose(), &random::<24>()?);
        let first = self.authenticate(login.first(), &refused).await?;
        let (last, expected) = login.last(&first).map_err(&refused)?;
        let answer = self.authenticate(last, &refused).await?;
        expected.check(&answer).map_err(refused)
    }

    async fn authenticate(
        &mut self,
        message: String,
        refused: &(impl Fn(String) -> StreamError + Sync),
    ) -> Result<String, StreamError> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer: SaslAuthenticateResponse =
            self.call(ApiKey::SaslAuthenticate, 2, &request).await?;
        if let Some(error) = answer.error_code.err() {
            let text = answer.error_message.map(|text| text.to_string());
            return Err(refused(text.unwrap_or_else(|| format!("{error:?}"))));
        }
        String::from_utf8(answer.auth_bytes.to_vec())
            .map_err(|_| refused("the broker's answer is no text".to_owned()))
    }

    /// One request and its answer.
    pub(super) async fn call<Q, A>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Result<A, StreamError>
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let asked = format!("{key:?}");
        let lost = |reason: &dyn std::fmt::Display| unreachable(&asked, reason);
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("bongsu")));
        let mut body = BytesMut::new();
        let encoded = header
            .encode(&mut body, Q::header_version(version))
            .and_then(|()| request.encode(&mut body, version));
        encoded.map_err(|error| StreamError::Unusable {
            reason: format!("{asked}: {error}"),
        })?;
        let length = i32::try_from(body.len()).unwrap_or(i32::MAX);
        let exchange = async {
            self.socket.write_all(&length.to_be_bytes()).await?;
            self.socket.write_all(&body).await?;
            self.socket.flush().await?;
            let length = usize::try_from(self.socket.read_i32().await?).unwrap_or(usize::MAX);
            if length > LARGEST {
                return Err(std::io::Error::other(
                    "the answer is too large for a Kafka's",
                ));
            }
            let mut answer = vec![0; length];
            self.socket.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = match timeout(ANSWER, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(lost(&error)),
            Err(_) => return Err(lost(&"no answer within 10 s")),
        };
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, A::header_version(version));
        let header = header.map_err(|error| lost(&error))?;
        if header.correlation_id != self.correlation {
            return Err(lost(&"the answer belongs to another request"));
        }
        A::decode(&mut answer, version).map_err(|error| lost(&error))
    }
}
