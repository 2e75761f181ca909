// SPDX-License-Identifier: Apache-2.0
// The list of commands. A command's file declares `extern const Command k...Command`.
#include <vector>

#include "agent/cli/command.h"

namespace rollguard::cli {

extern const Command kAnalysisJudgeCommand;
extern const Command kAnalysisQueryCommand;
extern const Command kAnalysisRunCommand;
extern const Command kBacktestCommand;
extern const Command kCheckCommand;
extern const Command kCompareCommand;
extern const Command kPromqlEvalCommand;
extern const Command kPromqlFoldCommand;
extern const Command kPromqlFormatCommand;
extern const Command kPromqlParseCommand;
extern const Command kQueryCommand;
extern const Command kRehearseCommand;
extern const Command kRunCommand;
extern const Command kSchemaCommand;
extern const Command kSimCommand;
extern const Command kTestCommand;
extern const Command kVersionCommand;

std::span<const Command> Commands() {
  static const std::vector<Command> commands = {
      kRunCommand,           kCheckCommand,       kAnalysisJudgeCommand, kAnalysisRunCommand,
      kAnalysisQueryCommand, kCompareCommand,     kPromqlEvalCommand,    kPromqlFoldCommand,
      kPromqlFormatCommand,  kPromqlParseCommand, kQueryCommand,         kRehearseCommand,
      kSchemaCommand,        kSimCommand,         kBacktestCommand,      kTestCommand,
      kVersionCommand,
  };
  return commands;
}

}  // namespace rollguard::cli
