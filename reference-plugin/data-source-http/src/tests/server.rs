//! A server of the test's own, on this machine, that answers what the test says.
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Answers until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// The PEM of its certificate, where it has one.
    pub(super) certificate: Option<String>,
    heard: Arc<Mutex<Vec<String>>>,
    events: mpsc::UnboundedReceiver<Event>,
    serving: JoinHandle<()>,
}

/// What happens to a connection on which the server is silent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A request is there.
    Asked,
    /// The client closed the connection.
    Left,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    /// Answers request after request with these texts, the last one again and again; an empty one is silence.
    pub(super) async fn answering<const N: usize>(answers: [&str; N]) -> Self {
        Self::start(answers.iter().map(|answer| answer.as_bytes().to_vec()).collect(), None).await
    }

    /// The same, with these bytes.
    pub(super) async fn answering_bytes(answer: &[u8]) -> Self {
        Self::start(vec![answer.to_vec()], None).await
    }

    /// The same over TLS, with a certificate of its own making.
    pub(super) async fn secret(answer: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let tls = (TlsAcceptor::from(Arc::new(config)), cert.pem());
        Self::start(vec![answer.as_bytes().to_vec()], Some(tls)).await
    }

    async fn start(answers: Vec<Vec<u8>>, tls: Option<(TlsAcceptor, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (happening, events) = mpsc::unbounded_channel();
        let (acceptor, certificate) = tls.unzip();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let noting = heard.clone();
        let serving = tokio::spawn(async move {
            let mut answers = answers.into_iter().peekable();
            let mut answer = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                // A client may end the connection at any time; what counts is what the client makes of it.
                drop(match &acceptor {
                    None => converse(&mut stream, &answer, &noting, &happening).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(mut stream) => converse(&mut stream, &answer, &noting, &happening).await,
                        Err(error) => Err(error),
                    },
                });
            }
        });
        Self { address, certificate, heard, events, serving }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, each as it was sent, without the headers that all have.
    pub(super) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let own =
            |line: &&str| !["accept: ", "user-agent: ", "host: "].iter().any(|name| line.starts_with(name));
        heard.iter().map(|one| one.lines().filter(own).collect::<Vec<_>>().join("\n")).collect()
    }

    pub(super) async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }
}

/// One request and its answer, after which the connection ends.
async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    answer: &[u8],
    heard: &Mutex<Vec<String>>,
    happening: &mpsc::UnboundedSender<Event>,
) -> io::Result<()> {
    let request = request(stream).await?;
    heard.lock().unwrap().push(request);
    if answer.is_empty() {
        happening.send(Event::Asked).unwrap();
        while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
        happening.send(Event::Left).unwrap();
        return Ok(());
    }
    stream.write_all(answer).await?;
    stream.shutdown().await
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.map_or(0, |length| length.parse().unwrap()) <= body.len() {
                return Ok(text);
            }
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
}
