"""Views that are drawn when they are looked at, and drawn anew, equal, when looked at again.

A large batch in chunks (`chunks.py`) has every image's views in memory only while its chunk is
computed. A deferred view is a tensor without storage: it has shape, kind and device, takes part in
`torch.cat`, takes another precision and gives slices of rows, deferred too. Every other operation
draws it whole and goes on with an ordinary tensor; to write into one is refused.

All views of a chunk of images are drawn together, for they come from one stream of random numbers.
A method that joins its views has them drawn twice a step, once a pass; one that shows them to its
network one by one has all of them drawn for each.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.utils._pytree import tree_map_only

from selfsight.joined import Views
from selfsight.randomness import own_randomness

Images = Shaped[Tensor, "batch channels height width"]
Piece = tuple[int, int, int]  # a view's number, the first of its images, the one after the last


class Drawing:
    """How the views of a batch are drawn, `chunk` images at a time."""

    def __init__(self, draw: Callable[[Images], Views], images: Images, *, chunk: int) -> None:
        self._draw, self._images, self.chunk = draw, images, chunk
        self._seeds = torch.randint(2**62, (-(-len(images) // chunk),)).tolist()
        self._latest: dict[int, Views] = {}  # the chunk that was last looked at

    def views(self) -> Views:
        """Return the views of all images, deferred."""
        every = (0, len(self._images))
        return [Deferred(self, [(place, *every)], view) for place, view in enumerate(self.of(0))]

    def of(self, number: int) -> Views:
        """Return the views of chunk `number` of the images: the same at every call."""
        if number not in self._latest:
            self._latest.clear()  # first: two chunks need not have room
            device = self._images.device
            rows = slice(number * self.chunk, (number + 1) * self.chunk)
            with (
                own_randomness(device),
                torch.no_grad(),
                torch.autocast(device.type, enabled=False),
            ):
                torch.manual_seed(self._seeds[number])
                self._latest[number] = self._draw(self._images[rows])
        return self._latest[number]


class Deferred(Tensor):
    """Rows of views, [rows, channels, height, width], that lie nowhere yet.

    drawing: what draws them. pieces: which they are, in order. like: a view of their shape. dtype:
    what their values are turned to, or that of `like`.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(
        cls, _: Drawing, pieces: list[Piece], like: Tensor, dtype: torch.dtype | None = None
    ) -> "Deferred":
        """Return a tensor without storage."""
        shape = (sum(end - start for _, start, end in pieces), *like.shape[1:])
        made: Deferred = Tensor._make_wrapper_subclass(
            cls, shape, dtype=dtype or like.dtype, device=like.device
        )
        return made

    def __init__(self, drawing: Drawing, pieces: list[Piece], *_: Any) -> None:
        super().__init__()
        self.drawing, self.pieces = drawing, pieces

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, _: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Stay deferred if it can be; otherwise draw, and do what is asked.

        Raises TypeError for what would write into a deferred view: it would be drawn anew.
        """
        named = named or {}
        if operation._schema.is_mutable and isinstance(given[0], Deferred):
            raise TypeError(f"{operation} writes into views that are drawn when they are looked at")
        stay = STAYING.get(operation)
        found = None if stay is None else stay(*given, **named)
        if found is not None:
            return found
        given, named = tree_map_only(Deferred, drawn, (given, named))
        return operation(*given, **named)

    def image_at(self, row: int) -> int:
        """Return the number of the image that a row is a view of."""
        for _, start, end in self.pieces:
            if row < end - start:
                return start + row
            row -= end - start
        raise IndexError(row)


def drawn(view: Tensor) -> Tensor:
    """Return the values of a view, an ordinary tensor; of one that is not deferred, itself.

    Rows of one view and one chunk of images share memory with what was drawn, if they can.
    """
    if not isinstance(view, Deferred):
        return view
    parts = list(_within_chunks(view))
    if len(parts) == 1:
        ((_, number, place, rows),) = parts
        return view.drawing.of(number)[place][rows].to(view.dtype)
    room = torch.empty(view.shape, dtype=view.dtype, device=view.device)
    for first, number, place, rows in sorted(parts, key=lambda part: part[1]):  # each chunk once
        part = view.drawing.of(number)[place][rows]
        room[first : first + len(part)] = part
    return room


def _within_chunks(view: Deferred) -> Iterator[tuple[int, int, int, slice]]:
    """Give a row, the number of a chunk of images, that of a view, and the chunk's rows there."""
    chunk, row = view.drawing.chunk, 0
    for place, start, end in view.pieces:
        for number in range(start // chunk, -(-end // chunk)):
            first, last = max(start, number * chunk), min(end, (number + 1) * chunk)
            yield row, number, place, slice(first - number * chunk, last - number * chunk)
            row += last - first


def _rows(
    view: Deferred, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Deferred | None:
    if dim != 0 or step != 1:
        return None
    first, last, _ = slice(start, end).indices(len(view))
    pieces, passed = [], 0
    for place, begin, over in view.pieces:
        low, high = max(first - passed, 0), min(last - passed, over - begin)
        if low < high:
            pieces.append((place, begin + low, begin + high))
        passed += over - begin
    return Deferred(view.drawing, pieces, view)


def _one_below_another(views: list[Tensor], dim: int = 0) -> Deferred | None:
    same = [view for view in views if isinstance(view, Deferred)]
    kinds = {(view.drawing, view.shape[1:], view.dtype) for view in same}
    if dim != 0 or len(same) < len(views) or len(kinds) != 1:
        return None
    return Deferred(same[0].drawing, [piece for view in same for piece in view.pieces], same[0])


def _itself(view: Deferred) -> Deferred:
    return Deferred(view.drawing, view.pieces, view)


def _turned(view: Deferred, **asked: Any) -> Deferred | None:
    dtype = asked.pop("dtype", None)
    elsewhere = any(value not in (None, False, torch.preserve_format) for value in asked.values())
    return None if elsewhere else Deferred(view.drawing, view.pieces, view, dtype)


STAYING: dict[Any, Callable[..., Deferred | None]] = {
    torch.ops.aten.slice.Tensor: _rows,
    torch.ops.aten.cat.default: _one_below_another,
    torch.ops.aten._to_copy.default: _turned,
    torch.ops.aten.detach.default: _itself,
    torch.ops.aten.alias.default: _itself,
}
