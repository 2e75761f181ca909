// SPDX-License-Identifier: Apache-2.0
#include "agent/api/api.h"

#include <cmath>

#include "agent/api/openapi.h"
#include "agent/api/page.h"
#include "agent/api/service.h"
#include "agent/api/view.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

std::optional<double> Known(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

struct Api::Impl {
  explicit Impl(ApiParts parts) : service(std::move(parts)) {}

  void PublishRow(const spec::Guard& guard, const release::GuardState& state, Time now) {
    static const std::string no_problem;
    service.Publish("guard", guard.Id(),
                    RowJson({.guard = guard, .state = state, .problem = no_problem, .now = now}));
  }

  Service service;
};

Api::Api(ApiParts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
Api::~Api() = default;

void Api::Attach(app::Controller* controller) { impl_->service.parts().controller = controller; }

void Api::SetPublisher(Publisher publisher) { impl_->service.SetPublisher(std::move(publisher)); }

void Api::Register(http::Router& router) {
  router.SetDefaultHeaders({{"X-Content-Type-Options", "nosniff"},
                            {"Referrer-Policy", "no-referrer"},
                            {"X-Frame-Options", "DENY"},
                            {"Cross-Origin-Resource-Policy", "same-origin"}});
  for (const Route& route : Routes()) {
    router.Add(route.method, route.pattern,
               [this, &route](const http::Request& r) { return impl_->service.Serve(route, r); });
  }
  AddPage(router);
}

void Api::Observed(const app::RuleReading& r) {
  Tape& tape = impl_->service.tape();
  if (r.compare != nullptr) {
    // A look without traffic on one side says nothing: the line breaks there.
    bool counted = !r.compare->no_data;
    tape.Measured(r.guard, r.release, r.rule->name, impl_->service.parts().clock->Now(),
                  counted ? r.compare->candidate_value : std::nullopt,
                  counted ? r.compare->stable_value : std::nullopt, std::nullopt);
  } else if (r.state != nullptr && r.state->ever_evaluated) {
    tape.Measured(r.guard, r.release, r.rule->name, r.state->evaluated, Known(r.state->value),
                  std::nullopt, r.threshold ? std::optional(r.threshold->value) : std::nullopt);
  }
}

void Api::Observed(const app::AnalysisReading& r) {
  impl_->service.tape().Measured(r.guard, r.metric, r.at, r.value);
}

void Api::Received(const app::AlertReceipt& receipt) {
  Json json = app::ToJson(receipt);
  // Everybody who may see one of the guards hears of it once; with no guard those who see all.
  std::string topic = receipt.matches.empty() ? "" : receipt.matches[0].guard;
  impl_->service.Publish("alert", topic, json);
}

void Api::Decided(const spec::Guard& guard, const release::Decision& decision) {
  impl_->service.tape().Mark(guard.Id(), decision.at, release::ToString(decision.verdict),
                             decision.reason);
  release::Decision brief = decision;
  brief.signals.clear();
  impl_->service.Publish("decision", guard.Id(), DecisionJson(brief));
}

void Api::Changed(const spec::Guard& guard, const release::GuardState&,
                  const release::GuardState& after, const release::Observation& observation) {
  if (after.release) {
    impl_->service.tape().Stand(
        guard.Id(), after.release->id, observation.now, static_cast<double>(after.release->weight),
        after.scores.empty() ? std::nullopt : std::optional(after.scores.back()));
  }
  impl_->PublishRow(guard, after, observation.now);
  impl_->service.GuardChanged();
}

void Api::Told(const spec::Guard& guard, const release::Notify& notice) {
  impl_->service.Publish("notice", guard.Id(),
                         Json::Obj({{"guard", guard.Id()},
                                    {"event", notice.event},
                                    {"severity", spec::ToString(notice.severity)},
                                    {"text", notice.text},
                                    {"decision", notice.decision}}));
}

void Api::Removed(const std::string& guard) {
  impl_->service.tape().Forget(guard);
  impl_->service.Publish("removed", guard, Json::Obj({{"guard", guard}}));
}

void Api::LetGo(const std::string& guard) { impl_->service.tape().Forget(guard); }

Json Api::OpenApi(const std::string& version) { return OpenApiDocument(version); }
std::string Api::Reference() { return ReferenceText(); }

}  // namespace rollguard::api
