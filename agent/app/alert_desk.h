// SPDX-License-Identifier: Apache-2.0
// Where alerts meet guards. What arrives has been made durable before; the desk drops duplicates,
// correlates, remembers what is firing, and turns it into signals for the guards it concerns. An
// alert is correlated again when a guard turns up that it speaks of, and when the release that was
// taken back for it has ended and the alert has not.
// Belongs to the deciding thread.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/alerts/correlate.h"
#include "agent/alerts/dedupe.h"
#include "agent/app/controller.h"

namespace rollguard::app {

// What became of one alert.
struct AlertReceipt {
  alerts::Alert alert;
  Time received{};
  alerts::Disposition disposition = alerts::Disposition::kUnmatched;
  std::vector<alerts::Match> matches;
};
Json ToJson(const AlertReceipt& receipt);

class AlertDesk : public Sensor {
 public:
  explicit AlertDesk(const Clock& clock) : clock_(clock) {}
  // Before anything else; the desk is one of the controller's sensors.
  void Attach(Controller* controller) { controller_ = controller; }

  // Takes alerts in and touches the guards they trigger. One receipt per alert, in order.
  std::vector<AlertReceipt> Receive(const std::vector<alerts::Alert>& alerts);
  // One that another replica took in and kept for us. What is kept may be older than what we were
  // told ourselves: an alert whose end is known does not begin again by it.
  void TakeKept(const alerts::Alert& alert);
  // What these receipts say survives this replica once `done` is told so; an alert for which it
  // failed is taken in anew when it comes again. One that comes again meanwhile waits with the
  // first: its sender must not be told that all is well.
  void Keep(const std::vector<AlertReceipt>& receipts, std::function<void(Status)> done);
  // Whether they were recorded is not known: they are taken in anew when they come again. Who
  // decides may have been told, and have been started again since from a history that does not know
  // them.
  void Unrecorded(const std::vector<alerts::Alert>& alerts);
  // What was known of the alert for this guard came from a view that was not the newest.
  void Withdraw(const std::string& guard, const std::string& fingerprint);
  // A poll's whole answer: what is suppressed stops counting, what has been gone from every answer
  // for `gone_after` has been resolved, what was not known is taken in and handed back.
  // `unprocessed`: there, but nothing is known of its silences yet.
  std::vector<alerts::Alert> Reconcile(const std::vector<alerts::Alert>& firing,
                                       const std::vector<std::string>& suppressed,
                                       const std::vector<std::string>& unprocessed = {},
                                       Duration gone_after = Duration(0));

  // The last receipts, newest first.
  std::vector<AlertReceipt> Recent(size_t limit) const;
  size_t firing() const { return firing_.size(); }
  // One that matches, is not suppressed and, when `since` is given, began then or later.
  std::optional<alerts::Alert> FindFiring(const std::vector<spec::Matcher>& matchers,
                                          std::optional<Time> since) const;

  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

 private:
  struct Firing {
    alerts::Alert alert;
    std::vector<alerts::Match> matches;
    bool suppressed = false;
    std::optional<Time> absent_since;  // from every poll
  };
  // The writes of one event, and who waits for all of them.
  struct Keeping {
    size_t under_way = 0;
    Status worst;
    std::vector<std::function<void(Status)>> waiting;
  };
  using FiringAt = std::map<std::string, Firing>::iterator;
  FiringAt Unmatch(FiringAt at, const std::string& guard);
  AlertReceipt ReceiveOne(const alerts::Alert& alert);
  void KeepOne(const AlertReceipt& receipt, std::function<void(Status)> done);
  void Kept(const std::string& event, const Status& status);
  void Consider(const spec::Guard& guard, const release::GuardState& state);
  void CorrelateAgain(Firing& held);
  std::vector<alerts::Match> CorrelateNow(const alerts::Alert& alert) const;
  std::string PodOwner(std::string_view ns, std::string_view pod) const;
  void TouchMatched(const std::vector<alerts::Match>& matches);
  void Resolve(const std::string& fingerprint);

  const Clock& clock_;
  Controller* controller_ = nullptr;
  alerts::Dedupe dedupe_;
  std::map<std::string, Firing> firing_;              // by fingerprint
  std::set<std::string> unkept_;                      // events whose Keep failed
  std::map<std::string, Keeping> keeping_;            // by event: those whose Keep is under way
  std::unordered_map<std::string, double> evidence_;  // by guard: how bad its candidate looks
  std::map<std::string, int64_t> considered_;         // guard -> its generation
  std::map<std::string, std::string> releasing_;      // guard -> its release
  std::deque<AlertReceipt> recent_;
};

}  // namespace rollguard::app
