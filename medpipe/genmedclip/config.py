"""What training can be told: model, data, loss, optimiser and the run itself."""

from typing import Literal

from pydantic import Field, model_validator

from medpipe.records import Domain, Record

CaptionKind = Literal["medical", "roi", "caption", "mention"]
DuplicateKey = Literal["video", "clip", "caption"]


class ModelConfig(Record):
    """Which model, and what it starts from."""

    name: str = Field(
        "ViT-B-32",
        min_length=1,
        max_length=200,
        description="`tiny`, `ViT-B-32` (GPT-77 text tower), `ViT-B-16-PMB` (PubMedBERT-256 text "
        "tower) or any open_clip model name.",
    )
    init: str | None = Field(
        None,
        description="Starting weights: None, a tag that open_clip knows (`openai`), a checkpoint "
        "file, or a folder with open_clip_config.json and weights.",
    )
    text_dir: str | None = Field(
        None,
        description="Folder with a Hugging Face text model (config, vocabulary, weights) for "
        "models whose text tower is one; None: the hub.",
    )
    image_px: int | None = Field(
        None, ge=16, le=1024, description="Side of the square input; None: the model's own."
    )


class DataConfig(Record):
    """Which samples, which of their captions, and how a picture is cut."""

    uri: str | None = Field(None, description="Dataset: a folder or s3://bucket/prefix.")
    version: int | None = Field(
        None, ge=0, description="Delta version of `samples` to pin; None: the newest at the start."
    )
    pictures: Literal["best", "whole", "parts", "both"] = Field(
        "best",
        description="Whole images, pictures cut out of them, both, or (best) the cut ones where "
        "there are any and else the whole.",
    )
    domains: tuple[Domain, ...] = Field((), description="Only these domains; empty: all.")
    domain_alpha: float = Field(
        1.0,
        ge=0,
        le=1,
        description="A domain of n samples is drawn n^alpha; 1: as they come, 0: all alike.",
    )
    medical_weight: float = Field(1.0, ge=0, description="Weight of sentences as captions.")
    roi_weight: float = Field(0.25, ge=0, description="Weight of pointed-at phrases as captions.")
    caption_weight: float = Field(1.0, ge=0, description="Weight of figure captions.")
    mention_weight: float = Field(0.5, ge=0, description="Weight of mentions in the text.")
    negated: bool = Field(False, description="Whether captions of what is not there take part.")
    crop_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of samples with boxes that are cut around one, with its phrase.",
    )
    crop_margin: float = Field(
        0.5, ge=0, le=4, description="Margin around the box, in shares of its longer side."
    )
    min_scale: float = Field(
        0.6, gt=0, le=1, description="Smallest share of the area that a random cut keeps."
    )
    validation_share: float = Field(
        0.02, ge=0, lt=0.5, description="Share of items (by id, never by frame) held back."
    )
    window_rows: int = Field(
        16_384, ge=1, description="Rows that are shuffled among each other; groups are read once."
    )
    window_bytes: int = Field(
        512 << 20,
        ge=1 << 20,
        description="Encoded bytes that are shuffled among each other; the smaller window counts.",
    )
    cache_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Encoded rows that one worker keeps in memory; below its share of the window "
        "rows are read again and again.",
    )
    threads: int = Field(2, ge=1, le=64, description="Threads that decode, a worker.")
    readers: int = Field(4, ge=1, le=64, description="Threads that read ahead, a worker.")
    prefetch: int = Field(4, ge=1, le=64, description="Batches made ahead; as many are read ahead.")

    def caption_weights(self) -> dict[str, float]:
        """Weight by kind of narration."""
        return {
            "medical": self.medical_weight,
            "roi": self.roi_weight,
            "caption": self.caption_weight,
            "mention": self.mention_weight,
        }


class LossConfig(Record):
    """The contrastive loss and what is added to it."""

    kind: Literal["clip", "siglip"] = Field("clip", description="Softmax or pairwise sigmoid.")
    mask_duplicates: tuple[DuplicateKey, ...] = Field(
        ("clip", "caption"),
        description="Pairs that share one of these (video, clip = the same picture, caption) are "
        "no negatives of each other.",
    )
    region_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the contrast between boxes and the phrases said over them.",
    )
    trace_weight: float = Field(
        0.0, ge=0, description="Weight of the match between heat map and trace density."
    )
    trace_sigma: float = Field(
        0.06, gt=0, le=0.5, description="Blur of a trace's density, share of the picture's side."
    )
    max_logit_scale: float = Field(100.0, gt=1, description="Upper bound of the logit scale.")

    @property
    def uses_places(self) -> bool:
        """Whether boxes or traces are learned from."""
        return self.region_weight > 0 or self.trace_weight > 0


class OptimConfig(Record):
    """AdamW under a cosine with warm-up."""

    learning_rate: float = Field(5e-4, gt=0, description="Peak.")
    final_share: float = Field(0.0, ge=0, le=1, description="Share of the peak at the end.")
    warmup_steps: int = Field(2000, ge=0, description="Steps of linear warm-up.")
    beta1: float = Field(0.9, ge=0, lt=1, description="Of AdamW.")
    beta2: float = Field(0.98, ge=0, lt=1, description="Of AdamW.")
    epsilon: float = Field(1e-6, gt=0, description="Of AdamW.")
    weight_decay: float = Field(0.2, ge=0, description="On matrices only.")
    clip_norm: float | None = Field(1.0, gt=0, description="Largest norm of the gradient.")


class RunConfig(Record):
    """How long, how many at once, how precise, and what is kept."""

    epochs: int = Field(10, ge=1, description="Passes over the (balanced) data.")
    global_batch: int = Field(
        4096, ge=2, description="Samples a step over all workers; the same at any world size."
    )
    chunk: int | None = Field(
        None,
        ge=1,
        description="Most samples a worker holds activations of at a time: larger local batches "
        "go through the exact gradient cache. None: all at once.",
    )
    workers: int = Field(1, ge=1, description="Training workers (most, when elastic).")
    min_workers: int | None = Field(
        None, ge=1, description="Fewest workers to go on with (elastic); None: always all."
    )
    gpus: float = Field(0, ge=0, le=1, description="GPUs of a worker: 0 or 1.")
    cpus: float = Field(1, gt=0, description="CPUs of a worker.")
    torch_threads: int = Field(1, ge=1, description="Threads of torch in a worker.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Of activations (autocast).")
    compile: bool = Field(False, description="torch.compile the towers.")
    grad_checkpointing: bool = Field(False, description="Recompute activations.")
    seed: int = Field(0, ge=0, description="Of weights, order, captions and cuts.")
    checkpoint_steps: int = Field(500, ge=1, description="Steps between checkpoints.")
    keep_checkpoints: int = Field(3, ge=1, description="Newest checkpoints that stay.")
    log_steps: int = Field(10, ge=1, description="Steps between lines of the log.")
    resize_s: float = Field(
        60.0, ge=0, description="Least seconds between two changes of the number of workers."
    )
    max_failures: int = Field(8, ge=0, description="Restarts after a worker or node died.")
    peak_tflops: float | None = Field(
        None, gt=0, description="Peak of one worker's device, for MFU; None: no MFU is told."
    )


class GenMedClipConfig(Record):
    """All of training."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _batches_divide(self) -> "GenMedClipConfig":
        run = self.run
        fewest = run.min_workers or run.workers
        if fewest > run.workers:
            raise ValueError(f"min_workers {fewest} is more than workers {run.workers}")
        wrong = [n for n in range(fewest, run.workers + 1) if run.global_batch % n]
        if wrong:
            raise ValueError(
                f"global_batch {run.global_batch} must divide by every number of workers that may "
                f"run ({fewest} to {run.workers}); it does not by {wrong}"
            )
        return self
