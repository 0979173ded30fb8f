// Sketches that name the differences of two sets at a cost that grows with the
// differences alone: rateless IBLT (Yang, Gilad and Alizadeh, "Practical
// Rateless Set Reconciliation", SIGCOMM 2024). Internal to sync/.
//
// A symbol is a 64-bit word that stands for a leaf and what is in it: 48 bits of a
// keyed hash and 16 bits that check them. Cell i is the XOR of the symbols that it
// holds; a symbol is in cell 0, and in cell i with probability 1/(1 + i/2). The XOR of
// the cells of two sets has the symbols of their difference only. A cell that holds
// one is known by the check and by the symbol's places, so there are no counts; who
// has the symbol is looked up. About 1.4 cells a difference decode, more for few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "wire/message.h"

namespace syncline {

// The symbol of a leaf whose live dots sum up to `content`. Never 0.
std::uint64_t make_symbol(const Digest& content, std::uint64_t salt);
// The 48 bits of it that aren't the check.
inline std::uint64_t symbol_name(std::uint64_t symbol) { return symbol & 0xffffffffffff; }

// XORs each symbol into those of the cells first, first + 1, ... that hold it. O(log cells) each.
void add_symbols(std::span<const std::uint64_t> symbols, std::uint64_t first, std::span<std::uint64_t> cells);

// The symbols that cells 0, 1, ... add up to, or nothing if more cells are needed (or
// the cells are anything but sums of symbols). O(cells log cells), whatever they hold.
std::optional<std::vector<std::uint64_t>> decode_symbols(std::vector<std::uint64_t> cells);

// So many cells decode so many differences in 99 of 100 cases.
std::uint64_t cells_for(double differences);

}  // namespace syncline
