// SPDX-License-Identifier: Apache-2.0
// Lists, in pages over one snapshot.
#include "agent/base/text.h"
#include "agent/sim/api_failure.h"
#include "agent/sim/api_server.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

// What a continue token says: the version of the snapshot and the last name handed out.
struct Page {
  uint64_t version = 0;
  Store::Name last;
};

std::string MakeToken(uint64_t version, const Json& last) {
  return Base64Encode(StrCat(version, "\n", NamespaceOf(last), "\n", NameOf(last)));
}

std::optional<Page> ReadToken(std::string_view token) {
  auto text = Base64Decode(token);
  if (!text) return std::nullopt;
  auto parts = Split(*text, '\n');
  if (parts.size() != 3) return std::nullopt;
  auto version = ParseInt(parts[0]);
  if (!version) return std::nullopt;
  return Page{static_cast<uint64_t>(*version), {std::string(parts[1]), std::string(parts[2])}};
}

// Where the request's page begins: in the present, or where its token says.
std::optional<ApiFailure> Turn(const ClusterRequest& request, const Store& store, Page* page) {
  *page = {store.version(), {}};
  if (request.continue_token.empty()) return std::nullopt;
  auto token = ReadToken(request.continue_token);
  if (!token) return BadRequest("continue key is not valid");
  *page = *std::move(token);
  if (page->version >= store.compacted()) return std::nullopt;
  return Expired(
      "The provided continue parameter is too old to display a consistent list result. "
      "You must start a new list without the continue parameter.");
}

Json AsItem(const TypeInfo& info, const Json& object) {
  Json item = object;
  if (!info.custom) {
    item.Erase("kind");
    item.Erase("apiVersion");
  }
  return item;
}

}  // namespace

ApiReply ApiServer::ServeList(const TypeInfo& info, const ClusterRequest& request) {
  auto labels = LabelSelector::Parse(request.label_selector);
  if (!labels) return Fail(BadRequest(labels.error().message));
  auto fields = FieldSelector::Parse(request.field_selector);
  if (!fields) return Fail(BadRequest(fields.error().message));
  if (std::string path = fields->Unsupported(info.type, info.custom); !path.empty())
    return Fail(BadRequest(StrCat("field label not supported: ", path)));
  Page page;
  if (auto failure = Turn(request, store_, &page)) return Fail(*std::move(failure));
  const bool everything = labels->empty() && fields->empty();
  Json items = Json::Arr();
  ObjectPtr last;
  int64_t remaining = 0;
  auto visit = [&](const ObjectPtr& object) {
    const bool full = request.limit > 0 && static_cast<int64_t>(items.size()) == request.limit;
    if (!everything && full && remaining > 0) return;  // their number is told of whole lists only
    if (!everything && (!labels->Matches(Meta(*object).At("labels")) || !fields->Matches(*object)))
      return;
    if (full) {
      ++remaining;
      return;
    }
    last = object;
    items.Push(AsItem(info, *InVersion(info, request.type.version, object)));
  };
  store_.WalkAt(info.id, info.type.namespaced ? request.ns : "", page.version, page.last, visit);
  Json meta = Json::Obj({{"resourceVersion", std::to_string(page.version)}});
  if (remaining > 0) {
    meta.Set("continue", MakeToken(page.version, *last));
    if (everything) meta.Set("remainingItemCount", remaining);
  }
  return {std::make_shared<const Json>(Json::Obj({{"kind", info.type.kind + "List"},
                                                  {"apiVersion", request.type.ApiVersion()},
                                                  {"metadata", std::move(meta)},
                                                  {"items", std::move(items)}})),
          std::nullopt, false};
}

}  // namespace rollguard::sim
