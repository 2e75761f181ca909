// SPDX-License-Identifier: Apache-2.0
// Keys and signatures are made by the openssl program while the test runs, as a release pipeline
// would make them.
#include "agent/artifact/verify.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::testing {
namespace {

const std::string kDigest =
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const std::string kOther =
    "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

// A key pair in a folder that goes with it.
class Signer {
 public:
  explicit Signer(const std::string& kind) : ed25519_(kind == "ed25519") {
    if (ed25519_) {
      OpenSsl({"genpkey", "-algorithm", "ed25519", "-out", Path("key")});
    } else {
      OpenSsl({"ecparam", "-name", kind, "-genkey", "-noout", "-out", Path("key")});
    }
    OpenSsl({"pkey", "-in", Path("key"), "-pubout", "-out", Path("pub")});
    public_key = ReadFile(Path("pub"));
  }

  std::string Sign(const std::string& message) {
    folder_.Write("message", message);
    if (ed25519_) {
      OpenSsl({"pkeyutl", "-sign", "-inkey", Path("key"), "-rawin", "-in", Path("message"), "-out",
               Path("signature")});
    } else {  // what cosign sign-blob does
      OpenSsl(
          {"dgst", "-sha256", "-sign", Path("key"), "-out", Path("signature"), Path("message")});
    }
    return Base64Encode(ReadFile(Path("signature")));
  }

  std::string public_key;

 private:
  std::string Path(const std::string& name) { return StrCat(folder_.path(), "/", name); }
  void OpenSsl(std::vector<std::string> args) {
    args.insert(args.begin(), "openssl");
    const RunResult done = Run(args);
    INFO(done.err);
    REQUIRE(done.code == 0);
  }

  TempDir folder_{"signer"};
  bool ed25519_;
};

Json Template(const std::vector<std::string>& images, const std::string& annotation) {
  Json containers = Json::Arr();
  for (size_t i = 0; i < images.size(); ++i) {
    containers.Push(Json::Obj({{"name", StrCat("c", i)}, {"image", images[i]}}));
  }
  Json annotations = Json::Obj({{"rollguard.dev/signature", annotation}});
  return Json::Obj({{"metadata", Json::Obj({{"annotations", std::move(annotations)}})},
                    {"spec", Json::Obj({{"containers", std::move(containers)}})}});
}

TEST_CASE("artifacts: a signature of each kind of key verifies, a changed message does not") {
  for (const char* kind : {"ed25519", "prime256v1"}) {
    INFO(kind);
    Signer signer(kind);
    const std::string signature = *Base64Decode(signer.Sign(kDigest));
    CHECK(artifact::CheckKey(signer.public_key).ok());
    CHECK(artifact::Verifies(signer.public_key, kDigest, signature));
    CHECK_FALSE(artifact::Verifies(signer.public_key, kOther, signature));
    CHECK_FALSE(artifact::Verifies(Signer(kind).public_key, kDigest, signature));
    CHECK_FALSE(artifact::Verifies(signer.public_key, kDigest, signature + "x"));
    CHECK_FALSE(artifact::Verifies(signer.public_key, kDigest, ""));
  }
}

TEST_CASE("artifacts: keys that are no use are refused in words") {
  CHECK(artifact::CheckKey("nonsense").error().message.find("cannot be read") != std::string::npos);
  CHECK(artifact::CheckKey(Signer("secp384r1").public_key).error().message ==
        "the public key must be Ed25519 or ECDSA P-256");
}

TEST_CASE("artifacts: what a pod template must show") {
  Signer ours("ed25519"), also("prime256v1"), theirs("ed25519");
  const std::string pinned = StrCat("registry/app@", kDigest), side = StrCat("side:1@", kOther);
  const std::string good = ours.Sign(kDigest);
  struct Row {
    const char* name;
    spec::Artifacts settings;
    Json pods;
    Json more;
    const char* want;  // part of the message; empty: accepted
  };
  const spec::Artifacts nothing, digest{true, {}, "rollguard.dev/signature"},
      keys{false, {also.public_key, ours.public_key}, "rollguard.dev/signature"};
  const std::vector<Row> rows = {
      {"nothing is asked", nothing, Template({"app:latest"}, ""), {}, ""},
      {"pinned", digest, Template({pinned}, ""), {}, ""},
      {"a tag", digest, Template({pinned, "side:1"}, ""), {}, "container c1: the image \"side:1\""},
      {"a short digest", digest, Template({"app@sha256:abc"}, ""), {}, "is not pinned"},
      {"signed", keys, Template({pinned}, good), {}, ""},
      {"signed with a newline", keys, Template({pinned}, ours.Sign(kDigest + "\n")), {}, ""},
      {"keys ask for a digest too", keys, Template({"app:1"}, good), {}, "is not pinned"},
      {"no signature", keys, Template({pinned}, ""), {}, "carries no signature"},
      {"another's signature", keys, Template({pinned}, theirs.Sign(kDigest)), {}, "carries no"},
      {"of another image", keys, Template({pinned}, ours.Sign(kOther)), {}, "carries no"},
      {"two images, one signed", keys, Template({pinned, side}, good), {}, "container c1"},
      {"two images, two keys",
       keys,
       Template({pinned, side}, StrCat(good, ", ", also.Sign(kOther))),
       {},
       ""},
      {"on the workload", keys, Template({pinned}, ""),
       Json::Obj({{"rollguard.dev/signature", good}}), ""},
      {"a broken key",
       {false, {"-----BEGIN PUBLIC KEY-----"}, "a"},
       Template({pinned}, good),
       {},
       "cannot be read"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Status status = artifact::CheckImages(row.settings, row.pods, row.more);
    const std::string message = status ? "" : status.error().message;
    if (*row.want == '\0') {
      CHECK(message.empty());
    } else {
      CHECK(message.find(row.want) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace rollguard::testing
