// SPDX-License-Identifier: Apache-2.0
// Functions over text, and those that name or convert types.
#include <algorithm>
#include <optional>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

std::string TrimSet(std::string_view text, std::string_view set) {
  size_t from = text.find_first_not_of(set);
  if (from == std::string_view::npos) return "";
  return std::string(text.substr(from, text.find_last_not_of(set) - from + 1));
}

std::string ChangeCase(std::string text, bool upper) {
  for (char& c : text) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Value SplitText(const std::string& text, const std::string& separator, int64_t limit,
                CallContext& context) {
  Value::List parts;
  size_t at = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) + 1 < limit) {
    size_t next = separator.empty() ? (at + 1 < text.size() ? at + 1 : std::string::npos)
                                    : text.find(separator, at);
    if (next == std::string::npos) break;
    if (!context.ChargeText(next - at)) return {};
    parts.emplace_back(text.substr(at, next - at));
    at = next + separator.size();
  }
  if (limit != 0) parts.emplace_back(text.substr(at));
  return Value(std::move(parts));
}

Value ReplaceText(const std::string& text, const std::string& from, const std::string& to,
                  int64_t limit, CallContext& context) {
  if (from.empty()) return Value(text);
  std::string out;
  size_t at = 0;
  for (int64_t done = 0; limit < 0 || done < limit; ++done) {
    size_t next = text.find(from, at);
    if (next == std::string::npos) break;
    if (!context.ChargeText(next - at + to.size())) return {};
    out.append(text, at, next - at).append(to);
    at = next + from.size();
  }
  return Value(out.append(text, at));
}

Value RepeatText(const std::string& text, const Value& count, CallContext& context) {
  if (!count.is_int()) return BadArgument("repeat", count, context);
  if (count.AsInt() < 0) return context.Fail("repeat: the count must not be negative");
  if (count.AsInt() > kMaxElements ||
      !context.ChargeText(text.size() * static_cast<size_t>(count.AsInt()))) {
    return context.Fail("memory budget exceeded: the repeated text is too long");
  }
  std::string out;
  for (int64_t i = 0; i < count.AsInt(); ++i) out += text;
  return Value(std::move(out));
}

Value JoinList(std::span<const Value> args, CallContext& context) {
  if (!args[0].is_list()) return BadArgument("join", args[0], context);
  if (args.size() > 1 && !args[1].is_string()) return BadArgument("join", args[1], context);
  std::string out;
  for (const Value& item : args[0].AsList()) {
    if (!item.is_string()) return BadArgument("join", item, context);
    if (&item != args[0].AsList().data() && args.size() > 1) out += args[1].AsString();
    out += item.AsString();
    if (!context.ChargeText(item.AsString().size())) return {};
  }
  return Value(std::move(out));
}

std::string TypeWord(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNil: return "nil";
    case Value::Type::kBool: return "bool";
    case Value::Type::kInt: return "int";
    case Value::Type::kFloat: return "float";
    case Value::Type::kString: return "string";
    case Value::Type::kList: return "array";
    case Value::Type::kMap: return "map";
    case Value::Type::kDuration: return "time.Duration";
    case Value::Type::kTime: return "time.Time";
  }
  return "";
}

Value FromJsonText(const std::string& text, CallContext& context) {
  auto json = ParseJson(text);
  if (!json) return context.Fail(json.error().message);
  if (!context.ChargeText(text.size() * 8)) return {};
  return FromJson(*json);
}

int64_t Position(size_t at) { return at == std::string::npos ? -1 : static_cast<int64_t>(at); }

// Functions whose every argument is text, but for the last one of split and replace.
Value OnText(std::string_view name, std::span<const Value> args, CallContext& context) {
  size_t texts = name == "split" ? 2 : (name == "replace" ? 3 : args.size());
  for (size_t i = 0; i < texts; ++i) {
    if (!args[i].is_string()) return BadArgument(name, args[i], context);
  }
  if (args.size() > texts && !args[texts].is_int()) return BadArgument(name, args[texts], context);
  int64_t limit = args.size() > texts ? args[texts].AsInt() : -1;
  const std::string& text = args[0].AsString();
  if (!context.ChargeText(text.size())) return {};
  if (name == "upper" || name == "lower") return Value(ChangeCase(text, name == "upper"));
  if (name == "trim")
    return Value(TrimSet(text, args.size() > 1 ? std::string_view(args[1].AsString()) : kSpace));
  const std::string& second = args[1].AsString();
  if (name == "split") return SplitText(text, second, limit, context);
  if (name == "replace") return ReplaceText(text, second, args[2].AsString(), limit, context);
  if (name == "trimPrefix")
    return Value(text.starts_with(second) ? text.substr(second.size()) : text);
  if (name == "trimSuffix")
    return Value(text.ends_with(second) ? text.substr(0, text.size() - second.size()) : text);
  if (name == "hasPrefix") return Value(text.starts_with(second));
  if (name == "hasSuffix") return Value(text.ends_with(second));
  return Value(Position(name == "indexOf" ? text.find(second) : text.rfind(second)));
}

}  // namespace

Value CallText(std::string_view name, std::span<const Value> args, CallContext& context) {
  if (name == "type") return Value(TypeWord(args[0]));
  if (name == "join") return JoinList(args, context);
  if (name == "string" || name == "toJSON") {
    std::string text = name == "string" ? args[0].ToText() : ToJson(args[0]).Dump(2);
    return context.ChargeText(text.size()) ? Value(std::move(text)) : Value();
  }
  if (name == "fromJSON") {
    if (!args[0].is_string()) return BadArgument(name, args[0], context);
    return FromJsonText(args[0].AsString(), context);
  }
  if (name == "repeat") {
    if (!args[0].is_string()) return BadArgument(name, args[0], context);
    return RepeatText(args[0].AsString(), args[1], context);
  }
  return OnText(name, args, context);
}

}  // namespace rollguard::expr
