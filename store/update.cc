#include "store/update.h"

#include "crdt/counter_logic.h"
#include "crdt/key_logic.h"
#include "crdt/lww_logic.h"
#include "crdt/set_logic.h"

namespace syncline {

static_assert(LeafAccess<Transaction>);

void CounterWriter::add(std::int64_t by) { counter_add(transaction_, type_, key_, by); }
bool CounterWriter::reset() { return counter_reset(transaction_, type_, key_); }
std::int64_t CounterWriter::total() const { return counter_total(transaction_, type_, key_).total; }
bool CounterWriter::exists() const { return counter_total(transaction_, type_, key_).exists; }

void SetWriter::insert(const Value& element) { set_insert(transaction_, key_, element.to_bytes()); }
bool SetWriter::erase(const Value& element) { return set_erase(transaction_, key_, element.to_bytes()); }
bool SetWriter::contains(const Value& element) const {
  return set_contains(transaction_, key_, element.to_bytes());
}

void MapWriter::set(std::string_view field, const Value& value) { map_set(transaction_, key_, field, value); }
bool MapWriter::set(std::string_view field, const Value& value, std::uint64_t timestamp) {
  return map_set(transaction_, key_, field, value, timestamp);
}
bool MapWriter::erase(std::string_view field) { return map_remove(transaction_, key_, field); }
std::optional<Value> MapWriter::get(std::string_view field) const {
  return map_get(transaction_, key_, field);
}

void RegisterWriter::set(const Value& value) { register_set(transaction_, key_, value); }
bool RegisterWriter::set(const Value& value, std::uint64_t timestamp) {
  return register_set(transaction_, key_, value, timestamp);
}
bool RegisterWriter::clear() { return register_clear(transaction_, key_); }
std::optional<Value> RegisterWriter::get() const { return register_get(transaction_, key_); }

bool Update::erase(std::string_view key) { return erase_key(transaction_, key); }

}  // namespace syncline
