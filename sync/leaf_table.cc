#include "sync/leaf_table.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "crdt/error.h"
#include "sync/key_head.h"

namespace syncline {
namespace {

using Traits = std::char_traits<char>;

int compare_from(std::string_view a, std::string_view b, std::size_t from) {
  return a.substr(from).compare(b.substr(from));
}

// How many of `heads` are below `head`. Without branches: which way it goes is a coin toss.
std::size_t heads_below(const std::uint64_t* heads, std::size_t count, std::uint64_t head) {
  if (count == 0) return 0;
  const std::uint64_t* base = heads;
  while (count > 1) {
    const std::size_t half = count / 2;
    base += static_cast<std::size_t>(base[half - 1] < head) * half;
    count -= half;
  }
  return static_cast<std::size_t>(base - heads) + static_cast<std::size_t>(*base < head);
}

// What a block of `size` bytes takes from malloc (glibc's classes; others differ little).
constexpr std::size_t malloc_overhead = 8;
constexpr std::size_t malloc_step = 16;
constexpr std::size_t malloc_bytes(std::size_t size) {
  return std::max<std::size_t>(32, (size + malloc_overhead + malloc_step - 1) / malloc_step * malloc_step);
}

// All of a node that a search may look at: the lines arrive together instead of one by one.
void prefetch_lines(const void* start, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(start) + at);
}

}  // namespace

// --- Keys of one node ---

// Whether `key` sorts before (-1) or after (1) all that starts with the node's prefix, or starts with it (0).
int LeafTable::compare_prefix(const Node& node, std::string_view key, std::uint64_t key_head) {
  const std::size_t size = node.prefix_size;
  if (size == 0) return 0;
  const std::uint64_t mask = size >= 8 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} >> (8 * size));
  const std::uint64_t head = key_head & mask;
  if (head != node.prefix_head) return head < node.prefix_head ? -1 : 1;
  if (size > 8 && key.size() > 8) {
    const char* prefix = size <= prefix_kept ? node.prefix : node.blocks[0]->bytes();
    const int order = std::memcmp(key.data() + 8, prefix + 8, std::min(size, key.size()) - 8);
    if (order != 0) return order < 0 ? -1 : 1;
  }
  return key.size() < size ? -1 : 0;
}

// The first key of the node that isn't below `key`, which must start with the node's prefix.
LeafTable::Slot LeafTable::search(const Node& node, std::string_view key) {
  const std::uint64_t head = head_of(key, node.prefix_size);
  std::size_t low = heads_below(node.heads, node.count, head);
  if (low == node.count || node.heads[low] != head) return {low, false};
  std::size_t high = low + 1;
  while (high < node.count && node.heads[high] == head) ++high;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const int order = compare_from(node.blocks[middle]->key(), key, node.prefix_size);
    if (order == 0) return {middle, true};
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, false};
}

// The same for any key.
LeafTable::Slot LeafTable::locate(const Node& node, std::string_view key) {
  const int order = compare_prefix(node, key, head_of(key, 0));
  if (order != 0) return {order < 0 ? 0 : node.count, false};
  return search(node, key);
}

std::size_t LeafTable::child_index(const Inner& node, std::string_view key, std::uint64_t key_head) {
  const int order = compare_prefix(node, key, key_head);
  if (order != 0) return order < 0 ? 0 : node.count;
  const Slot slot = search(node, key);
  return slot.index + (slot.found ? 1 : 0);
}

// Makes the first `size` bytes, which all keys must share, the node's prefix.
void LeafTable::set_prefix(Node& node, std::size_t size) {
  node.prefix_size = static_cast<std::uint32_t>(size);
  if (node.count == 0) return;
  const std::string_view prefix = node.blocks[0]->key().substr(0, size);
  node.prefix_head = head_of(prefix, 0);
  prefix.copy(node.prefix, prefix_kept);
  for (std::size_t i = 0; i < node.count; ++i) node.heads[i] = head_of(node.blocks[i]->key(), size);
}

// Cuts the prefix down to what `key` shares too.
void LeafTable::shorten_prefix(Node& node, std::string_view key) {
  if (node.prefix_size == 0 || compare_prefix(node, key, head_of(key, 0)) == 0) return;
  const std::string_view prefix = node.blocks[0]->key().substr(0, node.prefix_size);
  set_prefix(node, common_prefix(prefix, key));
}

// Lengthens the prefix when heads tell little. That reads every key of the node
// from wherever it lies, so a gain of less than half a head isn't worth it.
void LeafTable::extend_prefix(Node& node) {
  constexpr std::size_t gain_min = 4;
  if (node.count < 2 || (node.heads[0] ^ node.heads[node.count - 1]) >> (64 - 8 * gain_min) != 0) return;
  const std::size_t shared = common_prefix(node.blocks[0]->key(), node.blocks[node.count - 1]->key());
  if (shared >= node.prefix_size + gain_min) set_prefix(node, shared);
}

void LeafTable::insert_block(Node& node, std::size_t index, Block* block) {
  SYNCLINE_ASSERT(node.count < node_size && index <= node.count);
  if (node.count == 0) {
    node.prefix_size = 0;
  } else {
    shorten_prefix(node, block->key());
  }
  std::copy_backward(node.heads + index, node.heads + node.count, node.heads + node.count + 1);
  std::copy_backward(node.blocks + index, node.blocks + node.count, node.blocks + node.count + 1);
  node.heads[index] = head_of(block->key(), node.prefix_size);
  node.blocks[index] = block;
  ++node.count;
}

// The new block's key may differ from the old one's, but not in its order among the others.
void LeafTable::replace_block(Node& node, std::size_t index, Block* block) {
  shorten_prefix(node, block->key());
  node.heads[index] = head_of(block->key(), node.prefix_size);
  node.blocks[index] = block;
}

void LeafTable::remove_blocks(Node& node, std::size_t index, std::size_t count) {
  std::copy(node.heads + index + count, node.heads + node.count, node.heads + index);
  std::copy(node.blocks + index + count, node.blocks + node.count, node.blocks + index);
  node.count -= static_cast<std::uint32_t>(count);
  if (node.count == 0) node.prefix_size = 0;
}

// Moves neighbouring blocks between neighbouring nodes.
void LeafTable::move_blocks(Node& from, std::size_t index, std::size_t count, Node& to,
                            std::size_t to_index) {
  if (count == 0) return;
  SYNCLINE_ASSERT(to.count + count <= node_size);
  if (to.count == 0) {
    to.prefix_size = from.prefix_size;
    to.prefix_head = from.prefix_head;
    std::copy(from.prefix, from.prefix + prefix_kept, to.prefix);
  } else {
    shorten_prefix(to, from.blocks[index]->key());
    shorten_prefix(to, from.blocks[index + count - 1]->key());
  }
  std::copy_backward(to.heads + to_index, to.heads + to.count, to.heads + to.count + count);
  std::copy_backward(to.blocks + to_index, to.blocks + to.count, to.blocks + to.count + count);
  std::copy(from.blocks + index, from.blocks + index + count, to.blocks + to_index);
  if (to.prefix_size == from.prefix_size) {
    std::copy(from.heads + index, from.heads + index + count, to.heads + to_index);
  } else {
    for (std::size_t i = to_index; i < to_index + count; ++i)
      to.heads[i] = head_of(to.blocks[i]->key(), to.prefix_size);
  }
  to.count += static_cast<std::uint32_t>(count);
  remove_blocks(from, index, count);
}

// Moves the last or first children of one node to the other end of its neighbour.
// Their separators must have gone before: both counts are already the new ones.
void LeafTable::move_children(Inner& from, std::size_t index, std::size_t count, Inner& to,
                              std::size_t to_index) {
  const std::size_t to_old = to.count + 1 - count;
  const std::size_t from_old = from.count + 1 + count;
  std::copy_backward(to.children + to_index, to.children + to_old, to.children + to_old + count);
  std::copy(from.children + index, from.children + index + count, to.children + to_index);
  std::copy(from.children + index + count, from.children + from_old, from.children + index);
}

// --- Memory ---

// Room for `slack` more bytes of value than now, and for what malloc adds anyhow.
LeafTable::Block* LeafTable::make_block(std::string_view key, std::string_view value,
                                        std::size_t slack) noexcept {
  const std::size_t taken = malloc_bytes(sizeof(Block) + key.size() + value.size() + slack);
  const std::size_t capacity = taken - malloc_overhead;
  SYNCLINE_ASSERT(capacity <= std::numeric_limits<std::uint32_t>::max());
  void* memory = std::malloc(capacity);
  SYNCLINE_ASSERT(memory != nullptr);
  auto* block =
      new (memory) Block{static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size()),
                         static_cast<std::uint32_t>(capacity)};
  key.copy(block->bytes(), key.size());
  value.copy(block->bytes() + key.size(), value.size());
  bytes_ += taken;
  return block;
}

void LeafTable::free_block(Block* block) noexcept {
  bytes_ -= malloc_bytes(block->capacity);
  std::free(block);
}

// The shortest bytes above `left` and not above `right`.
LeafTable::Block* LeafTable::make_separator(std::string_view left, std::string_view right) noexcept {
  return make_block(right.substr(0, common_prefix(left, right) + 1), {}, 0);
}

LeafTable::Leaf* LeafTable::make_leaf() noexcept {
  bytes_ += malloc_bytes(sizeof(Leaf));
  return new Leaf;
}

LeafTable::Inner* LeafTable::make_inner() noexcept {
  bytes_ += malloc_bytes(sizeof(Inner));
  return new Inner;
}

void LeafTable::free_leaf(Leaf* leaf) noexcept {
  bytes_ -= malloc_bytes(sizeof(Leaf));
  ++freed_;
  delete leaf;
}

void LeafTable::free_inner(Inner* inner) noexcept {
  bytes_ -= malloc_bytes(sizeof(Inner));
  delete inner;
}

void LeafTable::free_tree(Node* node, std::size_t height) noexcept {
  for (std::size_t i = 0; i < node->count; ++i) free_block(node->blocks[i]);
  if (height == 0) {
    free_leaf(static_cast<Leaf*>(node));
    return;
  }
  auto* inner = static_cast<Inner*>(node);
  for (std::size_t i = 0; i <= inner->count; ++i) free_tree(inner->children[i], height - 1);
  free_inner(inner);
}

void LeafTable::swap(LeafTable& other) noexcept {
  std::swap(root_, other.root_);
  std::swap(height_, other.height_);
  std::swap(size_, other.size_);
  std::swap(bytes_, other.bytes_);
  std::swap(hint_, other.hint_);
  // No position of either table may be taken for one of what it holds now.
  freed_ = other.freed_ = std::max(freed_, other.freed_) + 1;
  moves_ = other.moves_ = std::max(moves_, other.moves_) + 1;
}

LeafTable::LeafTable(LeafTable&& other) noexcept { swap(other); }

LeafTable& LeafTable::operator=(LeafTable&& other) noexcept {
  if (this != &other) {
    clear();
    swap(other);
  }
  return *this;
}

LeafTable::~LeafTable() { clear(); }

bool LeafTable::erase_at(const Position& position, std::string_view key) {
  Leaf* leaf = position.leaf_;
  if (leaf == nullptr || position.freed_ != freed_ || position.bounds_ != leaf->bounds) return erase(key);
  const bool exact = position.moves_ == moves_;
  const Slot slot = exact ? Slot{position.index_, position.block_ != nullptr} : locate(*leaf, key);
  if (!slot.found) return false;
  // A leaf that would run low needs its neighbours, so the way down.
  if (height_ > 0 && leaf->count <= node_size_min) return erase(key);
  take_out(*leaf, slot.index);
  return true;
}

void LeafTable::take_out(Leaf& leaf, std::size_t index) {
  Block* block = leaf.blocks[index];
  remove_blocks(leaf, index, 1);
  free_block(block);
  --size_;
  ++moves_;
  hint_ = {};
}

void LeafTable::clear() {
  if (root_ != nullptr) free_tree(root_, height_);
  root_ = nullptr;
  height_ = 0;
  size_ = 0;
  ++moves_;
  hint_ = {};
}

// --- Reading ---

LeafTable::Leaf* LeafTable::descend(std::string_view key) const {
  const std::uint64_t key_head = head_of(key, 0);
  Node* node = root_;
  for (std::size_t level = height_; level > 0; --level) {
    const auto* inner = static_cast<const Inner*>(node);
    node = inner->children[child_index(*inner, key, key_head)];
    prefetch_lines(node, offsetof(Node, blocks));
  }
  return static_cast<Leaf*>(node);
}

// The same, noting the way.
LeafTable::Leaf* LeafTable::descend(std::string_view key, Path& path) const {
  const std::uint64_t key_head = head_of(key, 0);
  Node* node = root_;
  for (std::size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    const std::size_t index = child_index(*inner, key, key_head);
    path.nodes[level] = inner;
    path.indexes[level] = index;
    if (index > 0) path.lower = inner->blocks[index - 1];
    if (index < inner->count) path.upper = inner->blocks[index];
    node = inner->children[index];
    prefetch_lines(node, offsetof(Node, blocks));
  }
  return static_cast<Leaf*>(node);
}

std::optional<std::string_view> LeafTable::find(std::string_view key) const {
  if (root_ == nullptr) return std::nullopt;
  const Leaf* leaf = descend(key);
  // A key that doesn't start with the prefix finds some slot or other, and then isn't equal to what is there.
  if (key.size() < leaf->prefix_size) return std::nullopt;
  const Slot slot = search(*leaf, key);
  if (!slot.found || leaf->blocks[slot.index]->key() != key) return std::nullopt;
  return leaf->blocks[slot.index]->value();
}

LeafTable::Cursor::Cursor(const Leaf* leaf, std::size_t index) {
  if (leaf != nullptr && index == leaf->count) {
    leaf = leaf->next;
    index = 0;
  }
  enter(leaf, index);
  if (leaf_ == nullptr) return;
  const std::size_t end = std::min<std::size_t>(leaf_->count, index_ + ahead);
  for (std::size_t i = index_; i < end; ++i) fetch(*leaf_, i);
}

void LeafTable::Cursor::enter(const Leaf* leaf, std::size_t index) {
  leaf_ = leaf;
  index_ = index;
  if (leaf_ == nullptr || leaf_->next == nullptr) return;
  __builtin_prefetch(leaf_->next);
  __builtin_prefetch(leaf_->next->blocks);
}

LeafTable::Cursor LeafTable::lower_bound(std::string_view key) const {
  if (size_ == 0) return {};
  const Leaf* leaf = descend(key);
  return Cursor(leaf, locate(*leaf, key).index);
}

LeafTable::Cursor LeafTable::begin() const { return lower_bound({}); }

LeafTable::Position LeafTable::find_position(std::string_view key) const {
  Position position;
  if (root_ == nullptr) return position;
  position.leaf_ = descend(key);
  position.bounds_ = position.leaf_->bounds;
  position.freed_ = freed_;
  position.moves_ = moves_;
  const Slot slot = locate(*position.leaf_, key);
  position.index_ = slot.index;
  if (slot.found) position.block_ = position.leaf_->blocks[slot.index];
  return position;
}

std::optional<std::string_view> LeafTable::value(const Position& position) const {
  if (position.block_ == nullptr) return std::nullopt;
  return position.block_->value();
}

// --- Writing ---

bool LeafTable::put(std::string_view key, std::string_view value) {
  if (root_ == nullptr) root_ = make_leaf();
  if (hint_.in_run) {
    Leaf* leaf = hint_.leaf;
    if (leaf->blocks[leaf->count - 1]->key() < key) {
      if (hint_.upper == nullptr || key < hint_.upper->key())
        return write(leaf, nullptr, {leaf->count, false}, key, value);
    } else if (hint_.lower == nullptr || key >= hint_.lower->key()) {
      return write(leaf, nullptr, locate(*leaf, key), key, value);
    }
  }
  Path path;
  Leaf* leaf = descend(key, path);
  hint_ = {leaf, path.lower, path.upper, leaf == hint_.leaf};
  return write(leaf, &path, locate(*leaf, key), key, value);
}

bool LeafTable::put_at(const Position& position, std::string_view key, std::string_view value) {
  Leaf* leaf = position.leaf_;
  if (leaf == nullptr || position.freed_ != freed_ || position.bounds_ != leaf->bounds)
    return put(key, value);
  const bool exact = position.moves_ == moves_;
  const Slot slot = exact ? Slot{position.index_, position.block_ != nullptr} : locate(*leaf, key);
  return write(leaf, nullptr, slot, key, value);
}

// Puts an entry where it belongs; a full leaf needs the way to it, gone again if it isn't known.
bool LeafTable::write(Leaf* leaf, const Path* path, Slot slot, std::string_view key, std::string_view value) {
  if (slot.found) {
    overwrite(*leaf, slot.index, value);
    return false;
  }
  ++moves_;
  Block* block = make_block(key, value, 0);
  if (leaf->count == node_size) {
    Path found;
    if (path == nullptr) {
      descend(key, found);
      path = &found;
    }
    leaf = split_leaf(leaf, *path, key);
    slot = locate(*leaf, key);
  }
  insert_block(*leaf, slot.index, block);
  ++size_;
  return true;
}

void LeafTable::overwrite(Leaf& leaf, std::size_t index, std::string_view value) {
  Block* block = leaf.blocks[index];
  const std::size_t need = sizeof(Block) + block->key_size + value.size();
  constexpr std::size_t idle_max = 64;  // A value that shrank may leave so much, or as much as is used.
  if (need <= block->capacity && block->capacity <= 2 * need + idle_max) {
    Traits::move(block->bytes() + block->key_size, value.data(), value.size());
    block->value_size = static_cast<std::uint32_t>(value.size());
    return;
  }
  // What grew once is likely to grow again.
  leaf.blocks[index] = make_block(block->key(), value, need > block->capacity ? value.size() / 8 : 0);
  free_block(block);
}

// Makes room for `key` in a full leaf: returns the one of the two that it belongs to.
LeafTable::Leaf* LeafTable::split_leaf(Leaf* leaf, const Path& path, std::string_view key) {
  // At the end of the table the leaf stays full and the new one begins empty:
  // who puts ascending keys gets full nodes.
  const bool append = leaf->next == nullptr && leaf->blocks[leaf->count - 1]->key() < key;
  constexpr std::size_t middle = node_size / 2;
  Leaf* right = make_leaf();
  Block* separator = append ? make_separator(leaf->blocks[leaf->count - 1]->key(), key)
                            : make_separator(leaf->blocks[middle - 1]->key(), leaf->blocks[middle]->key());
  if (!append) move_blocks(*leaf, middle, node_size - middle, *right, 0);
  right->next = leaf->next;
  leaf->next = right;
  ++leaf->bounds;
  extend_prefix(*leaf);
  extend_prefix(*right);
  hint_ = {};
  Leaf* chosen = key < separator->key() ? leaf : right;
  insert_child(path, height_, separator, right, append);
  return chosen;
}

// Adds a child, which begins at `separator`, to the `depth`th node of the way, and splits what is full.
void LeafTable::insert_child(const Path& path, std::size_t depth, Block* separator, Node* right,
                             bool append) {
  for (; depth > 0; --depth) {
    Inner& inner = *path.nodes[depth - 1];
    const std::size_t index = path.indexes[depth - 1];
    if (inner.count < node_size) {
      add_child(inner, index, separator, right);
      extend_prefix(inner);
      return;
    }
    const std::size_t middle = append ? node_size - 1 : node_size / 2;
    Inner* sibling = make_inner();
    std::copy(inner.children + middle + 1, inner.children + node_size + 1, sibling->children);
    move_blocks(inner, middle + 1, node_size - middle - 1, *sibling, 0);
    Block* promoted = inner.blocks[middle];
    remove_blocks(inner, middle, 1);
    if (index <= middle) {
      add_child(inner, index, separator, right);
    } else {
      add_child(*sibling, index - middle - 1, separator, right);
    }
    extend_prefix(inner);
    extend_prefix(*sibling);
    separator = promoted;
    right = sibling;
  }
  SYNCLINE_ASSERT(height_ < height_max);
  Inner* top = make_inner();
  top->children[0] = root_;
  add_child(*top, 0, separator, right);
  root_ = top;
  ++height_;
}

void LeafTable::add_child(Inner& inner, std::size_t index, Block* separator, Node* right) {
  std::copy_backward(inner.children + index + 1, inner.children + inner.count + 1,
                     inner.children + inner.count + 2);
  inner.children[index + 1] = right;
  insert_block(inner, index, separator);
}

// Forgets the separator and the child to its right. Gives the separator.
LeafTable::Block* LeafTable::remove_child(Inner& parent, std::size_t index) {
  std::copy(parent.children + index + 2, parent.children + parent.count + 1, parent.children + index + 1);
  Block* separator = parent.blocks[index];
  remove_blocks(parent, index, 1);
  return separator;
}

bool LeafTable::erase(std::string_view key) {
  if (root_ == nullptr) return false;
  Path path;
  Leaf* leaf = descend(key, path);
  const Slot slot = locate(*leaf, key);
  if (!slot.found) return false;
  take_out(*leaf, slot.index);
  if (height_ == 0 || leaf->count >= node_size_min) return true;
  rebalance_leaf(*path.nodes[height_ - 1], path.indexes[height_ - 1]);
  for (std::size_t depth = height_ - 1; depth > 0 && path.nodes[depth]->count < node_size_min; --depth)
    rebalance_inner(*path.nodes[depth - 1], path.indexes[depth - 1]);
  if (root_->count == 0) {
    auto* top = static_cast<Inner*>(root_);
    root_ = top->children[0];
    --height_;
    free_inner(top);
  }
  return true;
}

// Joins the leaf with a neighbour if both together leave room to grow, or else evens them out.
void LeafTable::rebalance_leaf(Inner& parent, std::size_t index) {
  const std::size_t at = index < parent.count ? index : index - 1;
  auto& left = *static_cast<Leaf*>(parent.children[at]);
  auto& right = *static_cast<Leaf*>(parent.children[at + 1]);
  const std::size_t total = left.count + right.count;
  ++left.bounds;
  ++right.bounds;
  if (total <= node_size * 3 / 4) {
    move_blocks(right, 0, right.count, left, left.count);
    left.next = right.next;
    free_block(remove_child(parent, at));
    free_leaf(&right);
    extend_prefix(left);
    return;
  }
  const std::size_t half = total / 2;
  if (left.count > half) {
    move_blocks(left, half, left.count - half, right, 0);
  } else {
    move_blocks(right, 0, half - left.count, left, left.count);
  }
  Block* separator = parent.blocks[at];
  replace_block(parent, at, make_separator(left.blocks[left.count - 1]->key(), right.blocks[0]->key()));
  free_block(separator);
  extend_prefix(left);
  extend_prefix(right);
}

// The same for inner nodes: the separator between them goes down, another comes up.
void LeafTable::rebalance_inner(Inner& parent, std::size_t index) {
  const std::size_t at = index < parent.count ? index : index - 1;
  auto& left = *static_cast<Inner*>(parent.children[at]);
  auto& right = *static_cast<Inner*>(parent.children[at + 1]);
  const std::size_t total = left.count + right.count + 1;
  if (total <= node_size * 3 / 4) {
    std::copy(right.children, right.children + right.count + 1, left.children + left.count + 1);
    insert_block(left, left.count, remove_child(parent, at));
    move_blocks(right, 0, right.count, left, left.count);
    free_inner(&right);
    extend_prefix(left);
    return;
  }
  const std::size_t half = total / 2;
  Block* promoted;
  if (left.count > half) {
    const std::size_t moved = left.count - half;
    insert_block(right, 0, parent.blocks[at]);
    move_blocks(left, half + 1, moved - 1, right, 0);
    promoted = left.blocks[half];
    remove_blocks(left, half, 1);
    move_children(left, half + 1, moved, right, 0);
  } else {
    const std::size_t moved = half - left.count;
    insert_block(left, left.count, parent.blocks[at]);
    promoted = right.blocks[moved - 1];
    move_blocks(right, 0, moved - 1, left, left.count);
    remove_blocks(right, 0, 1);
    move_children(right, 0, moved, left, left.count + 1 - moved);
  }
  replace_block(parent, at, promoted);
  extend_prefix(left);
  extend_prefix(right);
}

}  // namespace syncline
