# Two standard queues, `<name>-items` and `<name>-items-high` (medpipe enqueue --priority), and where
# messages go that even redelivery cannot get through. medpipe itself decides on dead letters.
locals {
  queues = toset(["${var.name}-items", "${var.name}-items-high"])
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-items-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [for queue in aws_sqs_queue.items : queue.arn]
  })
}

resource "aws_sqs_queue" "items" {
  for_each = local.queues

  name                       = each.value
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 120
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  # Every delivery counts, also those of spot nodes that went: only the backstop.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 1000
  })
}

resource "aws_sqs_queue_policy" "tls" {
  for_each = aws_sqs_queue.items

  queue_url = each.value.id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

data "aws_iam_policy_document" "queue" {
  for_each = aws_sqs_queue.items

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
