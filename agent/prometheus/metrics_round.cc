// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/metrics_round.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/parser.h"

namespace rollguard::prometheus {
namespace {

using promql::FoldRequest;
using promql::Value;
using promql::Vector;

// The same series with the same values, in any order.
bool SameAnswer(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (const auto* scalar = std::get_if<promql::Scalar>(&a)) {
    return promql::SameValue(scalar->v, std::get<promql::Scalar>(b).v, 0);
  }
  const auto* left = std::get_if<Vector>(&a);
  if (left == nullptr) return true;
  Vector x = *left, y = std::get<Vector>(b);
  if (x.size() != y.size()) return false;
  auto by_labels = [](const promql::Sample& l, const promql::Sample& r) {
    return l.labels < r.labels;
  };
  std::sort(x.begin(), x.end(), by_labels);
  std::sort(y.begin(), y.end(), by_labels);
  return std::equal(x.begin(), x.end(), y.begin(),
                    [](const promql::Sample& l, const promql::Sample& r) {
                      return l.labels == r.labels && promql::SameValue(l.v, r.v, 1e-12);
                    });
}

std::vector<uint32_t> Numbers(size_t count) {
  std::vector<uint32_t> out(count);
  for (uint32_t i = 0; i < count; ++i) out[i] = i;
  return out;
}

}  // namespace

void MetricsRound::Start(MetricsSource::Round questions, Time at, FoldMemory& memory,
                         Random& random, FoldCounters& counters, AskServer ask) {
  std::shared_ptr<MetricsRound> round(
      new MetricsRound(at, memory, random, counters, std::move(ask)));
  round->Plan(std::move(questions));
}

void MetricsRound::Plan(MetricsSource::Round questions) {
  counters_.questions += questions.size();
  std::vector<std::shared_ptr<const promql::FoldSign>> kept;
  std::vector<const promql::FoldSign*> signs;
  std::vector<const std::string*> texts;
  for (auto& [question, done] : questions) {
    auto sign = memory_.Sign(question.query);
    if (sign == nullptr) {
      AskUnparsed(question.query, std::move(done));
      continue;
    }
    texts.push_back(&question.query);
    signs.push_back(sign.get());
    kept.push_back(std::move(sign));
    questions_.push_back({std::move(done), {}, 0});
  }
  const auto query_of = [&texts](uint32_t index) {
    return std::make_shared<const promql::Query>(*promql::ParseQuery(*texts[index]));
  };
  promql::FoldPlan plan = promql::PlanFold(signs, query_of, memory_.Limits());
  planned_ = std::move(plan.requests);
  for (const FoldRequest& request : planned_) parts_.emplace_back(request.slots.size());
  for (uint32_t q = 0; q < questions_.size(); ++q) {
    questions_[q].recipe = std::move(plan.recipes[q]);
    questions_[q].missing = questions_[q].recipe.parts.size();
    for (const promql::FoldPart& part : questions_[q].recipe.parts) {
      parts_[part.request][part.slot].waiting.push_back(q);
    }
    if (questions_[q].missing == 0) Answer(questions_[q]);
  }
  PickShadow();
  for (uint32_t r = 0; r < planned_.size(); ++r) SendPlanned(r);
}

// Now and then one folded request, of which a random member will be checked.
void MetricsRound::PickShadow() {
  std::vector<size_t> folded;
  for (size_t r = 0; r < planned_.size(); ++r) {
    if (planned_[r].folded()) folded.push_back(r);
  }
  if (folded.empty() || !random_.Chance(memory_.options().shadow_chance)) return;
  shadow_request_ = folded[random_.Below(folded.size())];
}

// What our parser does not know (another server's dialect) is the server's to judge.
void MetricsRound::AskUnparsed(const std::string& text, MetricDone done) {
  ++counters_.requests;
  ask_(text, [done = std::move(done)](QueryOutcome outcome) {
    if (!outcome.answer) return done(outcome.answer.error());
    MetricAnswer answer{std::move(outcome.answer->value), !outcome.answer->warnings.empty(),
                        std::move(outcome.answer->warnings)};
    done(std::move(answer));
  });
}

// The request without the members that are asked alone, and those one by one.
void MetricsRound::SendPlanned(uint32_t planned) {
  const FoldRequest& request = planned_[planned];
  if (!request.folded() || !memory_.has_alone()) {
    return Send({request, planned, Numbers(request.slots.size())});
  }
  std::vector<uint32_t> together;
  for (uint32_t slot = 0; slot < request.slots.size(); ++slot) {
    if (!memory_.IsAlone(request, slot)) {
      together.push_back(slot);
      continue;
    }
    std::vector<uint32_t> one = {slot};
    Send({Narrow(request, one), planned, one, true});
  }
  if (!together.empty()) Send({Narrow(request, together), planned, together});
}

void MetricsRound::Send(Job job) {
  ++counters_.requests;
  if (job.request.folded()) ++counters_.folded_requests;
  auto shared = std::make_shared<Job>(std::move(job));
  ask_(shared->request.expr, [self = shared_from_this(), shared](QueryOutcome outcome) {
    self->Answered(std::move(*shared), std::move(outcome));
  });
}

void MetricsRound::Answered(Job job, QueryOutcome outcome) {
  if (outcome.answer) return Fill(job, *std::move(outcome.answer));
  const Error& error = outcome.answer.error();
  bool folded = job.request.folded();
  bool too_large = error.code == ErrorCode::kTooLarge || error.code == ErrorCode::kTimeout;
  if (folded && outcome.blames_question && too_large) memory_.NoteTooLarge(job.request);
  bool may_halve = bisections_ + 2 <= memory_.options().max_bisections;
  if (folded && outcome.blames_question && may_halve) return Halve(job);
  // Alone at last, after halving: the culprit. What fails the same way for everyone is none.
  bool halved = job.slots.size() == 1 && planned_[job.planned].slots.size() > 1;
  if (halved && outcome.blames_question) memory_.AskAlone(planned_[job.planned], job.slots[0]);
  Fail(job, error);
}

void MetricsRound::Halve(const Job& job) {
  bisections_ += 2;
  counters_.bisections += 2;
  size_t middle = job.slots.size() / 2;
  for (int half = 0; half < 2; ++half) {
    std::vector<uint32_t> slots(
        job.slots.begin() + (half == 0 ? 0 : static_cast<long>(middle)),
        half == 0 ? job.slots.begin() + static_cast<long>(middle) : job.slots.end());
    Send({Narrow(planned_[job.planned], slots), job.planned, slots});
  }
}

void MetricsRound::Fill(const Job& job, QueryAnswer answer) {
  const FoldRequest& planned = planned_[job.planned];
  if (job.request.folded()) memory_.NoteCost(job.request, answer.peak_samples);
  if (job.alone) memory_.WasClean(planned, job.slots[0]);
  bool wrong_kind = job.request.folded() && !std::holds_alternative<Vector>(answer.value);
  if (wrong_kind) return Fail(job, Error(ErrorCode::kInternal, "a folded answer is no vector"));
  std::vector<Value> values = Unfold(job.request, std::move(answer.value));
  if (job.request.folded() && job.planned == shadow_request_ && answer.warnings.empty()) {
    shadow_request_ = SIZE_MAX;
    auto index = static_cast<uint32_t>(random_.Below(values.size()));
    Shadow(job, index, values[index], false);
  }
  for (size_t i = 0; i < job.slots.size(); ++i) {
    Part& part = parts_[job.planned][job.slots[i]];
    part.value = std::move(values[i]);
    part.warnings = answer.warnings;
    Settle(job.planned, job.slots[i]);
  }
}

void MetricsRound::Fail(const Job& job, const Error& error) {
  for (uint32_t slot : job.slots) {
    parts_[job.planned][slot].value = error;
    Settle(job.planned, slot);
  }
}

void MetricsRound::Settle(uint32_t planned, uint32_t slot) {
  Part& part = parts_[planned][slot];
  part.there = true;
  for (uint32_t q : part.waiting) {
    if (--questions_[q].missing == 0) Answer(questions_[q]);
  }
}

// A part that failed fails the question; a suspect part makes its answer suspect.
void MetricsRound::Answer(Question& question) {
  MetricAnswer answer;
  std::vector<Value> given;
  for (const promql::FoldPart& p : question.recipe.parts) {
    const Part& part = parts_[p.request][p.slot];
    if (!part.value) return question.done(part.value.error());
    given.push_back(*part.value);
    answer.warnings.insert(answer.warnings.end(), part.warnings.begin(), part.warnings.end());
  }
  auto value = EvaluateRecipe(question.recipe, given, at_);
  if (!value) return question.done(value.error());
  answer.value = *std::move(value);
  answer.suspect = !answer.warnings.empty();
  question.done(std::move(answer));
}

// Asks one member as it wrote it. Samples may have come in between, so a difference counts only
// when the folded question, asked once more, still differs from the member's own.
void MetricsRound::Shadow(const Job& job, uint32_t slot, Value folded, bool again) {
  if (!again) ++counters_.shadow_checks;
  std::vector<uint32_t> one = {slot};
  auto request = std::make_shared<FoldRequest>(job.request);
  ++counters_.requests;
  ask_(Narrow(job.request, one).expr, [self = shared_from_this(), request, slot,
                                       folded = std::move(folded), again](QueryOutcome outcome) {
    if (!outcome.answer || SameAnswer(outcome.answer->value, folded)) return;
    if (again) {
      ++self->counters_.shadow_differences;
      self->memory_.SwitchOff(request->shape->text);
      return;
    }
    ++self->counters_.requests;
    self->ask_(request->expr, [self, request, slot](QueryOutcome second) {
      if (!second.answer) return;
      auto values = Unfold(*request, std::move(second.answer->value));
      Job repeated{*request, 0, {}};
      self->Shadow(repeated, slot, std::move(values[slot]), true);
    });
  });
}

}  // namespace rollguard::prometheus
