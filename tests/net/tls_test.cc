// SPDX-License-Identifier: Apache-2.0
// Who the server is, and what is said when it is not who it should be.
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "agent/base/text.h"
#include "tests/net/http_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/tiny_server.h"

namespace rollguard::net {
namespace {

using testing::CertificateWish;
using testing::KeyPair;
using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

struct TlsFixture : NetFixture {
  KeyPair ca = testing::MakeCa("test-ca");
  KeyPair other_ca = testing::MakeCa("other-ca");

  TinyServer Serve(CertificateWish wish, const std::string& client_ca = {}) const {
    KeyPair pair = testing::IssueCertificate(ca, wish);
    testing::TinyOptions options;
    options.cert_pem = pair.cert_pem;
    options.key_pem = pair.key_pem;
    options.client_ca_pem = client_ca;
    return TinyServer(
        [](const TinyRequest& r, TinyConnection& c) { c.Respond(200, r.Header("host")); }, options);
  }

  Expected<HttpResponse> Ask(const TinyServer& server, const TlsOptions& tls) {
    HttpRequest request = Get(server.Url("/x"));
    request.tls = std::make_shared<TlsOptions>(tls);
    return Fetch(client, request);
  }

  std::string Refusal(const TinyServer& server, const TlsOptions& tls) {
    auto answer = Ask(server, tls);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == ErrorCode::kUnavailable);
    std::string label = StrCat("GET ", server.Url("/x"), ": ");
    REQUIRE(answer.error().message.starts_with(label));
    return answer.error().message.substr(label.size());
  }
};

CertificateWish Loopback() {
  CertificateWish wish;
  wish.common_name = "server";
  wish.addresses = {"127.0.0.1"};
  return wish;
}

TlsOptions Trust(const KeyPair& ca) {
  TlsOptions tls;
  tls.ca_pem = ca.cert_pem;
  return tls;
}

struct TempFile {
  explicit TempFile(const std::string& text)
      : path(StrCat("/tmp/rollguard-tls-", getpid(), ".pem")) {
    std::ofstream(path) << text;
  }
  ~TempFile() { std::remove(path.c_str()); }
  std::string path;
};

TEST_CASE_METHOD(TlsFixture, "the private CA's server is accepted, inline and by file") {
  TinyServer server = Serve(Loopback());
  CHECK(Ask(server, Trust(ca)).ok());
  TempFile file(ca.cert_pem);
  TlsOptions by_file;
  by_file.ca_file = file.path;
  CHECK(Ask(server, by_file).ok());
}

TEST_CASE_METHOD(TlsFixture, "another CA is refused, and named") {
  TinyServer server = Serve(Loopback());
  CHECK(
      Refusal(server, Trust(other_ca)) ==
      "the server's certificate (CN = server), issued by CN = test-ca, is not signed by the given "
      "CA (CN = other-ca) (unable to get local issuer certificate); give the CA that signed it");
  TempFile file(other_ca.cert_pem);
  TlsOptions by_file;
  by_file.ca_file = file.path;
  CHECK(Refusal(server, by_file).find(StrCat("is not signed by the CA in ", file.path)) !=
        std::string::npos);
  CHECK(Refusal(server, {}).find("is not signed by any CA this system trusts") !=
        std::string::npos);
}

TEST_CASE_METHOD(TlsFixture, "a connection under one CA is not reused under another") {
  TinyServer server = Serve(Loopback());
  CHECK(Ask(server, Trust(ca)).ok());
  CHECK_FALSE(Ask(server, Trust(other_ca)).ok());
  TlsOptions insecure;
  insecure.insecure = true;
  CHECK(Ask(server, insecure).ok());
  CHECK_FALSE(Ask(server, Trust(other_ca)).ok());
}

TEST_CASE_METHOD(TlsFixture, "an expired certificate is refused with its date") {
  CertificateWish wish = Loopback();
  wish.from_seconds = -7200;
  wish.until_seconds = -3600;
  TinyServer server = Serve(wish);
  std::string why = Refusal(server, Trust(ca));
  CHECK(why.starts_with("the server's certificate (CN = server) expired on "));
  CHECK(why.ends_with(" GMT; renew it or check the clock"));
}

TEST_CASE_METHOD(TlsFixture, "a certificate for another name is refused with both names") {
  CertificateWish wish;
  wish.common_name = "server";
  wish.dns = {"kubernetes", "api.example.com"};
  wish.addresses = {"10.96.0.1"};
  TinyServer server = Serve(wish);
  CHECK(Refusal(server, Trust(ca)) ==
        "the server's certificate is for \"kubernetes\", \"api.example.com\", \"10.96.0.1\", not "
        "for \"127.0.0.1\"; use a URL with one of these names or set the TLS server name");
  TlsOptions named = Trust(ca);
  named.server_name = "api.example.com";
  auto answer = Ask(server, named);
  REQUIRE(answer.ok());
  CHECK(answer->body == StrCat("127.0.0.1:", server.port()));
  named.server_name = "wrong.example.com";
  CHECK(Refusal(server, named).find("not for \"wrong.example.com\"") != std::string::npos);
}

TEST_CASE_METHOD(TlsFixture, "client certificates") {
  TinyServer server = Serve(Loopback(), ca.cert_pem);
  CertificateWish wish;
  wish.common_name = "rollguard";
  KeyPair mine = testing::IssueCertificate(ca, wish);
  TlsOptions tls = Trust(ca);
  CHECK_FALSE(Ask(server, tls).ok());
  tls.cert_pem = mine.cert_pem;
  tls.key_pem = mine.key_pem;
  CHECK(Ask(server, tls).ok());
  tls.key_pem = testing::IssueCertificate(ca, wish).key_pem;
  TinyServer fresh = Serve(Loopback(), ca.cert_pem);  // no connection to it is open yet
  CHECK(Refusal(fresh, tls)
            .starts_with(
                "cannot use the client certificate given inline with the key given inline: "));
}

TEST_CASE_METHOD(TlsFixture, "bad CA material is named") {
  TinyServer server = Serve(Loopback());
  TlsOptions missing;
  missing.ca_file = "/nonexistent/ca.crt";
  CHECK(
      Refusal(server, missing).starts_with("cannot use the CA /nonexistent/ca.crt: it is missing"));
  TlsOptions garbage;
  garbage.ca_pem = "not a certificate";
  CHECK(Refusal(server, garbage).starts_with("cannot use the CA given inline: "));
}

}  // namespace
}  // namespace rollguard::net
