// SPDX-License-Identifier: Apache-2.0
#include "agent/routing/weighted.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::routing {
namespace {

Json* FindEntry(Json& list, const std::function<bool(const Json&)>& is) {
  if (!list.is_array()) return nullptr;
  for (Json& entry : list.items()) {
    if (is(entry)) return &entry;
  }
  return nullptr;
}

const Json* FindEntry(const Json& list, const std::function<bool(const Json&)>& is) {
  for (const Json& entry : list.items()) {
    if (is(entry)) return &entry;
  }
  return nullptr;
}

// What both entries sum to. Alone in the list: 100. Beside others: what the owner gave us.
Expected<int64_t> TotalOf(const Json& list, const Shape& shape) {
  int64_t ours = 0;
  size_t others = 0;
  for (const Json& entry : list.items()) {
    if (shape.is_stable(entry) || shape.is_candidate(entry)) {
      ours += WeightFrom(entry.At(shape.weight));
    } else {
      ++others;
    }
  }
  if (others == 0) return int64_t{100};
  if (ours >= 10) return ours;
  return Error(ErrorCode::kInvalid,
               StrCat("the weights of the guarded service sum to ", ours,
                      " beside other destinations: give it at least 10 so that it can be split"));
}

}  // namespace

int64_t WeightFrom(const Json& value) {
  constexpr int64_t kHeaviest = 1'000'000'000;
  return std::clamp<int64_t>(value.IntOr(0), 0, kHeaviest);
}

bool HasStable(const Json& list, const Shape& shape) {
  return FindEntry(list, shape.is_stable) != nullptr;
}

bool HasCandidate(const Json& list, const Shape& shape) {
  return FindEntry(list, shape.is_candidate) != nullptr;
}

Expected<Json> SplitList(Json& list, const Shape& shape, int64_t candidate) {
  Json* stable = FindEntry(list, shape.is_stable);
  if (stable == nullptr) {
    return Error(ErrorCode::kInvalid, "no destination is the guarded stable service");
  }
  auto total = TotalOf(list, shape);
  if (!total) return total.error();
  Json memo = Json::Obj({{"stable", *stable}, {"candidate", Json()}});
  const Json* theirs = FindEntry(list, shape.is_candidate);
  if (theirs != nullptr) {
    memo.Set("candidate", *theirs);
  } else {
    auto at = stable - list.items().data();
    Json made = shape.to_candidate(*stable);
    list.items().insert(list.items().begin() + at + 1, std::move(made));
    stable = FindEntry(list, shape.is_stable);
  }
  int64_t share = (*total * candidate + 50) / 100;
  if (candidate > 0 && candidate < 100) share = std::clamp<int64_t>(share, 1, *total - 1);
  shape.to_stable(*stable);
  stable->Set(shape.weight, *total - share);
  FindEntry(list, shape.is_candidate)->Set(shape.weight, share);
  return memo;
}

namespace {

void SwapWeights(Json& a, Json& b, const std::string& weight) {
  const Json was = a.At(weight), theirs = b.At(weight);
  auto put = [&](Json& entry, const Json& value) {
    if (value.is_null()) {
      entry.Erase(weight);
    } else {
      entry.Set(weight, value);
    }
  };
  put(a, theirs);
  put(b, was);
}

// {stable, candidate} of the memo by the roles of today.
std::pair<Json, Json> Owners(const Shape& shape, const Json& memo) {
  Json stable = memo.At("stable"), candidate = memo.At("candidate");
  if (shape.is_stable(stable) || !shape.is_candidate(stable)) return {stable, candidate};
  if (!candidate.is_object()) {
    shape.to_stable(stable);
    return {stable, candidate};
  }
  SwapWeights(stable, candidate, shape.weight);
  return {candidate, stable};
}

}  // namespace

void RestList(Json& list, const Shape& shape, const Json& memo) {
  if (!list.is_array()) return;
  const auto [owners, theirs] = Owners(shape, memo);
  if (Json* stable = FindEntry(list, shape.is_stable)) *stable = owners;
  Json* candidate = FindEntry(list, shape.is_candidate);
  if (candidate == nullptr) return;
  if (theirs.is_object()) {
    *candidate = theirs;
  } else {
    list.items().erase(list.items().begin() + (candidate - list.items().data()));
  }
}

std::optional<int64_t> ReadList(const Json& list, const Shape& shape) {
  const Json* stable = FindEntry(list, shape.is_stable);
  const Json* candidate = FindEntry(list, shape.is_candidate);
  if (candidate == nullptr) return std::nullopt;
  int64_t theirs = WeightFrom(candidate->At(shape.weight));
  int64_t sum = theirs + (stable != nullptr ? WeightFrom(stable->At(shape.weight)) : 0);
  return sum > 0 ? (theirs * 100 + sum / 2) / sum : 0;
}

Shape ServiceShape(const std::string& key, const std::string& stable,
                   const std::string& candidate) {
  Shape shape;
  shape.is_stable = [key, stable](const Json& e) { return e.At(key).Str() == stable; };
  shape.is_candidate = [key, candidate](const Json& e) {
    return e.At(key).Str() == candidate && !e.At("mirror").BoolOr(false);
  };
  shape.to_stable = [key, stable](Json& e) { e.Set(key, stable); };
  shape.to_candidate = [key, candidate](const Json& e) { return Json(e).Set(key, candidate); };
  return shape;
}

}  // namespace rollguard::routing
