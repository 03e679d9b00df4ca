//! nginx as a reverse proxy that terminates TLS on both legs, one process: it reads no frame.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Site, Started, spawn};
use crate::ends::Via;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts it. It has no way to say which port it took, so one that was just free is named.
pub(super) fn start(site: &Site) -> Result<Started> {
    let folder = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let Site { upstream, authority, sockets, .. } = site;
    let (leaf, key, ca) = (authority.leaf(), authority.leaf_key(), authority.ca());
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile {files};\n\
         events {{ worker_connections {files}; }}\n\
         http {{\n\
         access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         server {{\n\
         listen {address} ssl; ssl_certificate {leaf}; ssl_certificate_key {key};\n\
         location / {{\n\
         proxy_pass https://{upstream}; proxy_http_version 1.1; proxy_set_header Host $host;\n\
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;\n\
         proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_name $host;\n\
         proxy_ssl_server_name on; proxy_read_timeout 1h; proxy_send_timeout 1h;\n\
         }} }} }}\n",
        files = 3 * sockets,
        leaf = leaf.display(),
        key = key.display(),
        ca = ca.display(),
    );
    fs::write(folder.path().join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
    let child = spawn(site, folder.path(), &mut command)
        .context("nginx is missing? `apt-get install nginx-light` installs it")?;
    Started { child, address, via: Via::Reverse, ca, folder }.once_it_listens(PATIENCE)
}
