// The ordered map from leaf key bytes to value bytes, in memory.
//
// The memory store keeps its leaves in one, and so does the engine's overlay of
// pending ones. It is a B+tree (Bayer and Unterauer, "Prefix B-trees", 1977)
// whose nodes keep, beside each entry, the eight bytes of its key that follow
// what all keys of the node share ("heads", as Graefe's "poor man's normalised
// keys", "B-tree indexes and CPU caches", 2001). A search compares heads, which
// lie side by side, and reads only the entry it is looking for.
//
// A value type without a lock: one thread writes, or any number read. Keys and
// values are opaque bytes, ordered as unsigned ones; a key and a value together
// stay below 4 GiB. Memory: one block per entry (12 bytes beside key and value,
// rounded up to what malloc gives anyhow) and 16 bytes in a node that is 69% full
// after random insertions and full after ascending ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace syncline {

class LeafTable {
  struct Block;
  struct Leaf;

 public:
  // Walks the entries in ascending order of keys. Any write to the table
  // invalidates it; the views it gives live as long as it does.
  class Cursor {
   public:
    // A cursor at no entry.
    Cursor() = default;

    // Whether it is at an entry. The others need that.
    bool valid() const { return leaf_ != nullptr; }
    std::string_view key() const;
    std::string_view value() const;
    // Goes to the entry after this, or past the last. O(1).
    void next();

   private:
    friend class LeafTable;
    // Entries lie anywhere in memory; so many that are soon due are fetched early.
    static constexpr std::size_t ahead = 8;

    Cursor(const Leaf* leaf, std::size_t index);
    void enter(const Leaf* leaf, std::size_t index);
    static void fetch(const Leaf& leaf, std::size_t index);

    const Leaf* leaf_ = nullptr;
    std::size_t index_ = 0;
  };

  // Where a key is, or would be: saves put_at() and erase_at() the way down that
  // find_position() went, and while writes only overwrite the search at its end,
  // too. Never dangles: once it is out of date it is only slower.
  class Position {
   public:
    Position() = default;

   private:
    friend class LeafTable;
    Leaf* leaf_ = nullptr;
    const Block* block_ = nullptr;
    std::uint64_t freed_ = 0;
    std::uint64_t bounds_ = 0;
    std::uint64_t moves_ = 0;
    std::size_t index_ = 0;
  };

  LeafTable() = default;
  // The table moved from is empty, and usable. Cursors and views stay valid for the new one.
  LeafTable(LeafTable&& other) noexcept;
  LeafTable& operator=(LeafTable&& other) noexcept;
  LeafTable(const LeafTable&) = delete;
  LeafTable& operator=(const LeafTable&) = delete;
  ~LeafTable();

  // The value under `key`, or nothing. Valid until the next write. O(log n).
  std::optional<std::string_view> find(std::string_view key) const;

  // Inserts, or overwrites (in place when the value fits). True when the key was
  // absent. Both views may point into the table. O(log n); O(1) for a run of
  // ascending keys with nothing between them.
  bool put(std::string_view key, std::string_view value);

  // Removes `key` and its value. False when it was absent. The view may point
  // into the table. O(log n).
  bool erase(std::string_view key);

  // find() and put() or erase() in two steps. value() gives what find() would, and
  // holds until the next write. put_at() and erase_at() do what put() and erase() do, whatever was
  // written in between, when `key` is the one that the position was found for in this table.
  Position find_position(std::string_view key) const;
  std::optional<std::string_view> value(const Position& position) const;
  bool put_at(const Position& position, std::string_view key, std::string_view value);
  bool erase_at(const Position& position, std::string_view key);

  // The first entry whose key isn't below `key`, and the first of all. O(log n).
  Cursor lower_bound(std::string_view key) const;
  Cursor begin() const;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Removes everything and gives the memory back. O(n).
  void clear();

  // Bytes held for entries and nodes, with what malloc adds to each, estimated. O(1).
  std::size_t memory_bytes() const { return bytes_; }

 private:
  friend struct LeafTableInspector;  // The test's: walks the nodes and checks what they promise.

  // Entries of a node, measured: 64 is a tenth slower to find, 32 also to scan. A node
  // below a quarter takes from its neighbour or joins it, so all but the last of
  // each level are a quarter full and the tree is never higher than `height_max`.
  static constexpr std::size_t node_size = 128;
  static constexpr std::size_t node_size_min = node_size / 4;
  static constexpr std::size_t height_max = 16;
  static constexpr std::size_t prefix_kept = 32;

  // One entry, or one separator (whose value is empty): this, the key, the value.
  struct Block {
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::uint32_t capacity;  // Of all, this included.

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    std::string_view key() const { return {bytes(), key_size}; }
    std::string_view value() const { return {bytes() + key_size, value_size}; }
  };

  // The sorted keys of a leaf (its entries) or of an inner node (separators).
  struct Node {
    std::uint32_t count = 0;
    // What all keys share, at least: it grows only where that pays, see extend_prefix().
    std::uint32_t prefix_size = 0;
    std::uint64_t prefix_head = 0;  // Its first eight bytes, as head_of() gives them.
    Leaf* next = nullptr;           // Of a leaf: the leaf to its right.
    std::uint64_t bounds = 0;       // Of a leaf: how often the range of keys that belong here changed.
    char prefix[prefix_kept];       // Its first bytes; a longer one goes on in blocks[0].
    // Per key the eight bytes after the prefix as a big-endian number, with
    // zeros where the key ends: heads never contradict the order of keys, but may be equal.
    std::uint64_t heads[node_size];
    Block* blocks[node_size];
  };
  struct Leaf : Node {};
  // children[i] has the keys k with blocks[i - 1] <= k < blocks[i].
  struct Inner : Node {
    Node* children[node_size + 1];
  };

  // The way from the root to a leaf; the separators next to it on either side,
  // null at the ends of the table.
  struct Path {
    Inner* nodes[height_max];
    std::size_t indexes[height_max];
    const Block* lower = nullptr;
    const Block* upper = nullptr;
  };
  struct Slot {
    std::size_t index;
    bool found;
  };

  static int compare_prefix(const Node& node, std::string_view key, std::uint64_t key_head);
  static Slot search(const Node& node, std::string_view key);
  static Slot locate(const Node& node, std::string_view key);
  static std::size_t child_index(const Inner& node, std::string_view key, std::uint64_t key_head);
  static void set_prefix(Node& node, std::size_t size);
  static void shorten_prefix(Node& node, std::string_view key);
  static void extend_prefix(Node& node);
  static void insert_block(Node& node, std::size_t index, Block* block);
  static void replace_block(Node& node, std::size_t index, Block* block);
  static void remove_blocks(Node& node, std::size_t index, std::size_t count);
  static void move_blocks(Node& from, std::size_t index, std::size_t count, Node& to, std::size_t to_index);
  static void move_children(Inner& from, std::size_t index, std::size_t count, Inner& to,
                            std::size_t to_index);

  Block* make_separator(std::string_view left, std::string_view right) noexcept;
  Block* make_block(std::string_view key, std::string_view value, std::size_t slack) noexcept;
  void free_block(Block* block) noexcept;
  Leaf* make_leaf() noexcept;
  Inner* make_inner() noexcept;
  void free_leaf(Leaf* leaf) noexcept;
  void free_inner(Inner* inner) noexcept;
  void free_tree(Node* node, std::size_t height) noexcept;
  void swap(LeafTable& other) noexcept;

  Leaf* descend(std::string_view key) const;
  Leaf* descend(std::string_view key, Path& path) const;
  bool write(Leaf* leaf, const Path* path, Slot slot, std::string_view key, std::string_view value);
  void take_out(Leaf& leaf, std::size_t index);
  void overwrite(Leaf& leaf, std::size_t index, std::string_view value);
  Leaf* split_leaf(Leaf* leaf, const Path& path, std::string_view key);
  void insert_child(const Path& path, std::size_t level, Block* separator, Node* right, bool append);
  static void add_child(Inner& inner, std::size_t index, Block* separator, Node* right);
  static Block* remove_child(Inner& parent, std::size_t index);
  void rebalance_leaf(Inner& parent, std::size_t index);
  void rebalance_inner(Inner& parent, std::size_t index);

  Node* root_ = nullptr;    // Null until the first put().
  std::size_t height_ = 0;  // Inner nodes above each leaf.
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t freed_ = 0;  // Counts how often a leaf was freed: positions from before are void.
  std::uint64_t moves_ =
      0;  // Counts what was put in or taken out: positions from before name a leaf, no place in it.

  // The leaf of the last put() and its bounds. Looked at only while puts follow
  // one another there, so that random ones don't pay for it.
  struct Hint {
    Leaf* leaf = nullptr;
    const Block* lower = nullptr;
    const Block* upper = nullptr;
    bool in_run = false;
  };
  Hint hint_;
};

inline std::string_view LeafTable::Cursor::key() const { return leaf_->blocks[index_]->key(); }
inline std::string_view LeafTable::Cursor::value() const { return leaf_->blocks[index_]->value(); }

inline void LeafTable::Cursor::fetch(const Leaf& leaf, std::size_t index) {
  const char* const block = reinterpret_cast<const char*>(leaf.blocks[index]);
  __builtin_prefetch(block);
  __builtin_prefetch(block + 64);  // Most begin in one line and end in the next.
}

inline void LeafTable::Cursor::next() {
  ++index_;
  const std::size_t soon = index_ + ahead;
  if (soon < leaf_->count) return fetch(*leaf_, soon);
  // The next leaf and its first places were fetched when this one was entered.
  if (leaf_->next != nullptr && soon - leaf_->count < leaf_->next->count)
    fetch(*leaf_->next, soon - leaf_->count);
  if (index_ == leaf_->count) enter(leaf_->next, 0);
}

}  // namespace syncline
