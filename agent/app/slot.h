// SPDX-License-Identifier: Apache-2.0
// One guard inside the controller: what it wants, where it stands, what is under way.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/app/controller.h"
#include "agent/base/boxed.h"

namespace rollguard::app {

inline std::string UidOf(const Json& guard) { return guard.At("metadata", "uid").Str(); }

struct Controller::Slot {
  // What people and other replicas want of a guard: nothing, of nearly all.
  struct Errands {
    std::vector<release::Command> commands;
    std::map<std::string, Answered> answered;
    // Between replicas (relay.cc): alerts to be kept with our next write, entries of the inbox that
    // were taken, answers to its commands, and what we asked the owner, by the inbox's keys.
    struct Kept {
      Json json;
      bool sent = false;
      std::vector<std::function<void(Status)>> done;
    };
    std::map<std::string, Kept> keep;
    std::set<std::string> inbox_seen;
    std::map<std::string, alerts::Alert> inbox_firing;  // taken, and not over yet
    std::map<std::string, release::CommandAnswer> inbox_answers;
    std::map<std::string, Answered> asked;
  };
  // To read them; to add some.
  const Errands& Wanted() const {
    static const Errands kNone;
    return errands ? *errands : kNone;
  }
  Errands& Want() { return errands ? *errands : errands.emplace(); }

  std::string id;
  std::string ns;
  std::string name;

  // The Guard object as last seen or written: packed, for there are thousands, without what nobody
  // asks it for. Beside it the two parts of its status that every look asks for.
  std::string packed_object;
  std::string packed_status;
  std::string uid;
  Json inbox;
  Json owner;
  int64_t generation = 0;
  std::string resource_version;
  // What the watch told of while a write of ours was under way; its answer may never come.
  std::string told_version;
  int64_t parsed_generation = -1;
  bool deleting = false;
  bool has_finalizer = false;

  // What it means; null while it cannot be used.
  std::shared_ptr<const spec::Guard> guard;
  std::string problem;
  // Its spec as JSON once policy and named strategy are merged in; empty: it is the object's own.
  std::string resolved_spec;

  std::optional<release::GuardState> state;  // absent until read from the status
  // The furthest its status was known to be, while it is this object.
  std::string known_uid;
  int64_t known_sequence = 0;
  std::unique_ptr<release::GuardState> intended;  // while it is being written
  std::string checked_artifacts;                  // which template and signatures, and
  std::string refused_artifacts;                  // why they were refused; empty: they were not
  std::vector<std::string> configs;  // ConfigMaps and Secrets the target's template named last
  std::string configs_read_for;      // see release::ConfigsView
  Boxed<Errands> errands;
  std::vector<std::string> reasons;
  std::optional<Time> looked;

  bool mine = true;     // this replica decides on it
  uint64_t tenure = 0;  // counts the times it was let go
  bool busy = false;    // a state write or actions are under way
  bool again = false;   // something happened meanwhile
  bool gone = false;
  bool may_be_older = false;    // the store went back: what comes next counts, whatever its version
  bool looked_unseen = false;   // the last look could not trust its view
  bool waits_for_list = false;  // something it needs was never listed yet
  // It goes back, or something was learnt for which it may: nothing of it waits for other guards.
  bool urgent = false;
  bool behind = false;  // a kind that is needed has not been heard of for seconds
  bool unread = false;  // an object could not be read again: the next look cannot trust its view
  TimerId timer = 0;
  std::optional<Time> timer_at;
  int failures = 0;
};

}  // namespace rollguard::app
