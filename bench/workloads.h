// The workloads, each printing its records.
#pragma once

#include <cstddef>

namespace syncline::bench {

// Increments of one counter, and what a delta of one takes.
void run_w1(std::size_t n);
void run_w1_floor(std::size_t n);

// A map of n entries: insert, overwrite a tenth, remove a tenth, look up, iterate.
enum class W2Peer { syncline, btree, hash };
void run_w2(W2Peer peer, std::size_t n);
// Memory of the entries, and of our log apart.
void run_w2_memory(W2Peer peer, std::size_t n);
// The whole state over a link into a fresh replica: its bytes, encoding, decoding.
enum class History { transactions, singles, half_overwritten };
void run_w2_state(History history, std::size_t n);
// Bytes of single writes and of batches as they travel.
void run_w2_deltas(std::size_t n);

// n common entries, a thousand private ones on each side, synced.
void run_w3(std::size_t n);

// Replicas that add and remove concurrently, random pair syncs, then all converge.
void run_w4(std::size_t ops);

// The further types and their floors, in one process: n fields at depth 4, n elements of a set, n writes
// to a thousand registers, n spendings of a bounded counter. Memory of a set of n elements.
void run_w5(std::size_t n);
void run_w5_registers(std::size_t n);
void run_w5_memory(std::size_t n);

// Bytes: ticks between equal peers, naming what is missing, a pass of fresh changes, and what n pairs of
// adding and removing one element leave.
void run_w6(std::size_t n);

}  // namespace syncline::bench
