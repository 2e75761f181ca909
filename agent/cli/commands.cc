// SPDX-License-Identifier: Apache-2.0
// The list of commands. A command's file declares `extern const Command k...Command`.
#include <vector>

#include "agent/cli/command.h"

namespace rollguard::cli {

extern const Command kAbortCommand;
extern const Command kAnalysisJudgeCommand;
extern const Command kAnalysisQueryCommand;
extern const Command kAnalysisRunCommand;
extern const Command kApproveCommand;
extern const Command kAuditVerifyCommand;
extern const Command kBacktestCommand;
extern const Command kCheckCommand;
extern const Command kCompareCommand;
extern const Command kCompletionCommand;
extern const Command kExplainCommand;
extern const Command kGetCommand;
extern const Command kHistoryCommand;
extern const Command kImportCommand;
extern const Command kNoticesDiscardCommand;
extern const Command kNoticesRetryCommand;
extern const Command kPauseCommand;
extern const Command kPromoteCommand;
extern const Command kPromqlEvalCommand;
extern const Command kPromqlFoldCommand;
extern const Command kPromqlFormatCommand;
extern const Command kPromqlParseCommand;
extern const Command kQueryCommand;
extern const Command kRehearseCommand;
extern const Command kRejectCommand;
extern const Command kReleaseHoldCommand;
extern const Command kReplayCommand;
extern const Command kResumeCommand;
extern const Command kRetryCommand;
extern const Command kRollbackCommand;
extern const Command kRunCommand;
extern const Command kSchemaCommand;
extern const Command kSimCommand;
extern const Command kSkipCommand;
extern const Command kStatsCommand;
extern const Command kStatusCommand;
extern const Command kTestCommand;
extern const Command kVersionCommand;
extern const Command kWatchCommand;

std::span<const Command> Commands() {
  static const std::vector<Command> commands = {
      // The agent, and what people ask of it.
      kRunCommand,
      kGetCommand,
      kStatusCommand,
      kWatchCommand,
      kPromoteCommand,
      kPauseCommand,
      kResumeCommand,
      kAbortCommand,
      kRollbackCommand,
      kApproveCommand,
      kRejectCommand,
      kSkipCommand,
      kRetryCommand,
      kReleaseHoldCommand,
      kNoticesRetryCommand,
      kNoticesDiscardCommand,
      // What happened.
      kHistoryCommand,
      kExplainCommand,
      kReplayCommand,
      kStatsCommand,
      kAuditVerifyCommand,
      // Before production.
      kCheckCommand,
      kTestCommand,
      kBacktestCommand,
      kRehearseCommand,
      kCompareCommand,
      kAnalysisJudgeCommand,
      kAnalysisRunCommand,
      kAnalysisQueryCommand,
      kSimCommand,
      kImportCommand,
      // Metrics and the rest.
      kQueryCommand,
      kPromqlEvalCommand,
      kPromqlFoldCommand,
      kPromqlFormatCommand,
      kPromqlParseCommand,
      kSchemaCommand,
      kCompletionCommand,
      kVersionCommand,
  };
  return commands;
}

}  // namespace rollguard::cli
