"""A Florence-2 with random weights in transformers' format. Its captions are meaningless; all else is real."""

from pathlib import Path
from typing import Any

SIDE = 96
# DaViT halves the size five times; one more token is the mean.
IMAGE_TOKENS = (SIDE // 32) ** 2 + 1

POST_PROCESSES = (
    *("pure_text", "ocr", "bboxes", "polygons", "phrase_grounding", "description_with_bboxes"),
    *("description_with_polygons", "description_with_bboxes_or_polygons"),
)
SENTENCES = ["Describe with a paragraph what is shown in the image.", "a red fox runs through deep snow"]


def write_tiny_florence(folder: Path) -> None:
    import torch
    from transformers import Florence2ForConditionalGeneration

    tokenizer = _tokenizer()
    torch.manual_seed(0)
    Florence2ForConditionalGeneration(_config(tokenizer)).save_pretrained(folder)
    _processor(tokenizer).save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=1024,
    )
    # Tokens of the published model that the processor looks for.
    fast.add_tokens([f"<loc_{i}>" for i in range(1000)])
    return fast


def _processor(tokenizer: Any) -> Any:
    from transformers import CLIPImageProcessorPil, Florence2Processor

    images = CLIPImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    images.image_seq_length = IMAGE_TOKENS
    return Florence2Processor(
        image_processor=images,
        tokenizer=tokenizer,
        num_additional_image_tokens=0,
        post_processor_config={name: {} for name in POST_PROCESSES},
    )


def _config(tokenizer: Any) -> Any:
    from transformers import BartConfig, Florence2Config, Florence2VisionConfig

    vision = Florence2VisionConfig(
        depths=(1, 1, 1, 1),
        embed_dim=(8, 16, 32, 64),
        num_heads=(2, 2, 2, 2),
        num_groups=(2, 2, 2, 2),
        window_size=6,
        projection_dim=32,
        drop_path_rate=0.0,
    )
    text = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    return Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.convert_tokens_to_ids("<image>")
    )
