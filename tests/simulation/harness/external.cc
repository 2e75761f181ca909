// SPDX-License-Identifier: Apache-2.0
// The part of another controller, and of the people around it.
#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"

namespace rollguard::simulation {

using Carrier = Setup::Carrier;
using release::FlaggerHook;
using Word = release::Command::Verb;

void Simulation::PlayCarrier() {
  const sim::ControllerContext context{world_.api(), OptionsOf(plan_).controller_lag,
                                       plan_.seed + 3};
  carrier_ = plan_.setup->carrier == Carrier::kArgo
                 ? MakeArgoController(context)
                 : MakeFlaggerController(context, [this](FlaggerHook h) { return AnswersGate(h); });
  world_.api().store().OnChange([this](const sim::Change& change) { carrier_->Observe(change); });
}

// Behind one Service: whichever agent lives, in turns.
bool Simulation::AnswersGate(FlaggerHook hook) {
  if (Gone()) return hook == FlaggerHook::kConfirm;  // its owner took the webhooks out with it
  std::vector<Process*> living;
  for (Process* process : {&main_, &second_}) {
    if (process->agent != nullptr) living.push_back(process);
  }
  const char* asks = hook == FlaggerHook::kConfirm ? "may it go on: " : "must it go back: ";
  if (living.empty()) {
    Note(StrCat("Flagger asks ", asks, "nobody answers"));
    return false;
  }
  asked_gate_at_ = world_.scheduler().Now();
  Process& process = *living[asked_gates_++ % living.size()];
  auto known = process.agent->controller().Find(StrCat(kNs, "/", kApp));
  const std::string reason =
      known ? release::FlaggerReason(known->state, hook) : std::string("no such guard");
  Note(StrCat("Flagger asks ", asks, reason.empty() ? "yes" : reason));
  checker_->Answered(hook, reason.empty());
  return reason.empty();
}

// `onBad: pause` leaves a bad version where it is, until people decide.
bool Simulation::LeftToPeople() {
  if (plan_.setup->carrier != Carrier::kArgo) return false;
  sim::ObjectPtr rollout = world_.api().Get("argoproj.io", "rollouts", kNs, kApp);
  return rollout->At("spec", "paused").BoolOr(false);
}

bool Simulation::CarrierWorks() {
  if (!plan_.setup->external()) return false;
  const char* const group = plan_.setup->carrier == Carrier::kArgo ? "argoproj.io" : "flagger.app";
  const char* const plural = plan_.setup->carrier == Carrier::kArgo ? "rollouts" : "canaries";
  const std::string phase = world_.api().Get(group, plural, kNs, kApp)->At("status", "phase").Str();
  for (const char* end : {"Healthy", "Degraded", "Initialized", "Succeeded", "Failed"}) {
    if (phase == end) return false;
  }
  return true;
}

// They take what was paused for them away; and its pause with it.
void Simulation::HelpCarrier(const release::GuardState& state) {
  if (state.phase != release::Phase::kIdle || !LeftToPeople()) return;
  Note("somebody aborts the paused Rollout");
  world_.api().Update({world_.api().TypeId("argoproj.io", "rollouts"), kNs, kApp},
                      [](Json& rollout) {
                        rollout["status"].Set("abort", true);
                        rollout["spec"].Erase("paused");
                      });
}

}  // namespace rollguard::simulation
