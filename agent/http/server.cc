// SPDX-License-Identifier: Apache-2.0
#include "agent/http/server.h"

#include "agent/http/loop.h"

namespace rollguard::http {

Server::Server(ServerOptions options, const Router& router, const Clock& clock)
    : loop_(std::make_unique<Loop>(std::move(options), router, clock)) {}

Server::~Server() = default;

Status Server::Start() { return loop_->Start(); }
uint16_t Server::port() const { return loop_->port(); }
void Server::Stop(Duration grace) { loop_->Stop(grace); }

uint64_t Server::Publish(std::string type, std::string topic, std::string data) {
  return loop_->Publish(std::move(type), std::move(topic), std::move(data));
}

ServerStats Server::stats() const { return loop_->stats(); }

}  // namespace rollguard::http
