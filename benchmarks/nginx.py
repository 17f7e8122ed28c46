"""nginx' configuration: the backend, a proxy in front of it, and two proxies with mTLS between them."""

from pathlib import Path

# One process, so that one pid has all the CPU time.
_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {directory}/pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=1024{tls}; client_max_body_size 0; client_body_buffer_size 64k;
    location / {{ {location} }} {locations}
  }}
}}
"""


def answer(body: str) -> str:
    """A location that needs no other server."""
    return f'return 200 "{body}";'


def answer_with_id(path: str, body: str) -> str:
    """A further location, whose answers have no two heads alike."""
    return f'location {path} {{ add_header X-Answer $request_id; return 200 "{body}"; }}'


def files(path: str, directory: Path) -> str:
    """A further location, with the files of a directory."""
    return f"location {path} {{ alias {directory}/; sendfile on; open_file_cache max=10; }}"


def forward(scheme: str = "http", tls: str = "") -> str:
    """A location that sends its requests to the upstream."""
    return f'proxy_pass {scheme}://upstream; proxy_http_version 1.1; proxy_set_header Connection ""; {tls}'


def client_tls(certificate: Path, root: Path, server_name: str) -> str:
    """For `forward`: the own certificate (key and chain in one file), and what the server's must be."""
    return (
        f"proxy_ssl_certificate {certificate}; proxy_ssl_certificate_key {certificate}; "
        f"proxy_ssl_trusted_certificate {root}; proxy_ssl_verify on; proxy_ssl_verify_depth 2; "
        f"proxy_ssl_name {server_name}; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    )


def server_tls(certificate: Path, root: Path) -> str:
    """For `write_config`: the own certificate; every client needs one that leads to `root`."""
    return (
        f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}; ssl_client_certificate {root}; "
        "ssl_verify_client on; ssl_verify_depth 2; ssl_protocols TLSv1.2 TLSv1.3"
    )


def write_config(
    directory: Path, port: int, location: str, upstream: int | None = None, tls: str = "", locations: str = ""
) -> Path:
    """The configuration's file. `upstream` is a port of this machine."""
    servers = "" if upstream is None else f"upstream upstream {{ server 127.0.0.1:{upstream}; keepalive 64; }}"
    directory.mkdir()
    file = directory / "nginx.conf"
    names = {"directory": directory, "port": port, "upstream": servers, "tls": tls}
    file.write_text(_CONFIG.format(location=location, locations=locations, **names))
    return file
